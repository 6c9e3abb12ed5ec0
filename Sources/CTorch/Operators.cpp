// The generic door: any operator of the dispatcher, called boxed with tagged arguments.
#include "Support.hpp"

#include <ATen/core/List.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/jit_type.h>
#include <ATen/core/stack.h>
#include <c10/util/SmallVector.h>

#include <cstdlib>
#include <cstring>

using namespace ctorch;

namespace {

c10::OperatorHandle &handle_of(const ct_operator *op) {
    return *reinterpret_cast<c10::OperatorHandle *>(const_cast<ct_operator *>(op));
}

c10::TypePtr wanted_type(const c10::Argument &argument) {
    auto type = argument.type();
    if (auto optional = type->cast<c10::OptionalType>()) type = optional->getElementType();
    return type;
}

c10::IValue list_value(const ct_value &value, const c10::Argument &argument) {
    if (value.count == 0) {
        // An empty list is one of whatever the operator declares.
        if (auto list = wanted_type(argument)->cast<c10::ListType>()) {
            return c10::IValue(c10::impl::GenericList(list->getElementType()));
        }
    }
    if (value.tag == CT_INT_LIST) {
        const auto *first = static_cast<const int64_t *>(value.pointer);
        return c10::IValue(std::vector<int64_t>(first, first + value.count));
    }
    if (value.tag == CT_DOUBLE_LIST) {
        const auto *first = static_cast<const double *>(value.pointer);
        return c10::IValue(std::vector<double>(first, first + value.count));
    }
    const auto *first = static_cast<const ct_tensor *const *>(value.pointer);
    std::vector<at::Tensor> tensors;
    tensors.reserve(value.count);
    for (int64_t i = 0; i < value.count; ++i) tensors.push_back(unwrap(first[i]));
    return c10::IValue(std::move(tensors));
}

c10::IValue argument_value(const ct_value &value, const c10::Argument &argument) {
    switch (value.tag) {
        case CT_NONE: return c10::IValue();
        case CT_TENSOR: return c10::IValue(unwrap(static_cast<const ct_tensor *>(value.pointer)));
        case CT_INT:
            // Unboxing refuses an integer where a float is declared.
            if (wanted_type(argument)->kind() == c10::TypeKind::FloatType) return c10::IValue(double(value.integer));
            return c10::IValue(value.integer);
        case CT_DOUBLE: return c10::IValue(value.real);
        case CT_BOOL: return c10::IValue(value.integer != 0);
        case CT_STRING:
            return c10::IValue(std::string(static_cast<const char *>(value.pointer), size_t(value.count)));
        case CT_DEVICE:
            return c10::IValue(c10::Device(c10::DeviceType(value.integer), c10::DeviceIndex(value.count)));
        default: return list_value(value, argument);
    }
}

using Results = c10::SmallVector<ct_value, 8>;

void push_result(const c10::IValue &value, Results &results) {
    auto slot = [&]() -> ct_value & {
        results.push_back(ct_value{});
        return results.back();
    };
    if (value.isTensor()) {
        const auto &tensor = value.toTensor();
        auto &result = slot();
        if (!tensor.defined()) return;
        result.tag = CT_TENSOR;
        result.pointer = wrap(tensor);
    } else if (value.isTensorList()) {
        for (const at::Tensor &tensor : value.toTensorVector()) push_result(tensor, results);
    } else if (value.isInt()) {
        auto &result = slot();
        result.tag = CT_INT;
        result.integer = value.toInt();
    } else if (value.isDouble()) {
        auto &result = slot();
        result.tag = CT_DOUBLE;
        result.real = value.toDouble();
    } else if (value.isBool()) {
        auto &result = slot();
        result.tag = CT_BOOL;
        result.integer = value.toBool();
    } else if (value.isDoubleList()) {
        for (const double number : value.toDoubleVector()) push_result(number, results);
    } else if (value.isIntList()) {
        for (const int64_t number : value.toIntVector()) push_result(number, results);
    } else if (value.isNone()) {
        slot();
    } else {
        TORCH_CHECK(false, "results of type ", value.tagKind(), " are not supported");
    }
}

}  // namespace

int ct_operator_find(const char *name, const char *overload, const ct_operator **result, char **error) {
    return guarded(error, [&] {
        auto found = c10::Dispatcher::singleton().findSchemaOrThrow(name, overload);
        *result = reinterpret_cast<const ct_operator *>(new c10::OperatorHandle(found));
    });
}

int ct_operator_call(const ct_operator *op, const ct_value *arguments, int64_t argument_count, ct_value *results,
                     int64_t capacity, int64_t *result_count, ct_value **more, char **error) {
    return guarded(error, [&] {
        auto &handle = handle_of(op);
        const auto &declared = handle.schema().arguments();
        TORCH_CHECK(size_t(argument_count) <= declared.size(), handle.operator_name().name, " takes ", declared.size(),
                    " arguments, ", argument_count, " given");
        c10::Stack stack;
        stack.reserve(declared.size());
        for (size_t i = 0; i < declared.size(); ++i) {
            if (int64_t(i) < argument_count) {
                stack.push_back(argument_value(arguments[i], declared[i]));
            } else {
                TORCH_CHECK(declared[i].default_value().has_value(), "argument ", declared[i].name(), " is missing");
                stack.push_back(*declared[i].default_value());
            }
        }
        handle.callBoxed(stack);
        Results found;
        ct_value *target = results;
        try {
            for (const auto &value : stack) push_result(value, found);
            if (int64_t(found.size()) > capacity) {
                target = static_cast<ct_value *>(std::malloc(found.size() * sizeof(ct_value)));
                TORCH_CHECK(target != nullptr, "no memory for ", found.size(), " results");
            }
        } catch (...) {
            for (const auto &value : found) {
                if (value.tag == CT_TENSOR) ct_tensor_free(static_cast<ct_tensor *>(const_cast<void *>(value.pointer)));
            }
            throw;
        }
        if (!found.empty()) std::memcpy(target, found.data(), found.size() * sizeof(ct_value));
        *more = target == results ? nullptr : target;
        *result_count = int64_t(found.size());
    });
}

void ct_values_free(ct_value *values) { std::free(values); }
