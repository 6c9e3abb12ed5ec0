// Reverse-mode derivatives through LibTorch's autograd engine.
#include "Support.hpp"

#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/autograd.h>

using namespace ctorch;

int ct_tensor_leaf(const ct_tensor *tensor, ct_tensor **result, char **error) {
    return guarded(error, [&] { *result = wrap(unwrap(tensor).detach().requires_grad_(true)); });
}

int ct_tensor_detached(const ct_tensor *tensor, ct_tensor **result, char **error) {
    return guarded(error, [&] { *result = wrap(unwrap(tensor).detach()); });
}

int ct_gradients(const ct_tensor *output, const ct_tensor *const *inputs, int64_t count, int32_t create_graph,
                 ct_tensor **results, char **error) {
    return guarded(error, [&] {
        std::vector<at::Tensor> variables;
        variables.reserve(size_t(count));
        for (int64_t i = 0; i < count; ++i) variables.push_back(unwrap(inputs[i]));
        auto found = torch::autograd::grad({unwrap(output)}, variables, {}, create_graph != 0, create_graph != 0, true);
        for (int64_t i = 0; i < count; ++i) {
            auto &gradient = found[size_t(i)];
            // An input that the output does not depend on has no gradient: zero.
            results[i] = wrap(gradient.defined() ? std::move(gradient) : at::zeros_like(variables[size_t(i)]));
        }
    });
}

int32_t ct_grad_enabled(void) { return c10::GradMode::is_enabled(); }
void ct_set_grad_enabled(int32_t enabled) { c10::GradMode::set_enabled(enabled != 0); }
