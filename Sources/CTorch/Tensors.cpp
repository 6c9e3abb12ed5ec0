// Tensor handles: creation from host memory, metadata, data access.
#include "Support.hpp"

#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>

using namespace ctorch;

int ct_tensor_from_bytes(const void *bytes, int64_t byte_count, const int64_t *sizes, int64_t rank, int32_t dtype,
                         ct_tensor **result, char **error) {
    return guarded(error, [&] {
        auto tensor = at::empty(at::IntArrayRef(sizes, size_t(rank)), at::TensorOptions().dtype(c10::ScalarType(dtype)));
        TORCH_CHECK(int64_t(tensor.nbytes()) == byte_count, "a tensor of shape ", tensor.sizes(), " takes ",
                    tensor.nbytes(), " bytes, ", byte_count, " given");
        if (byte_count > 0) std::memcpy(tensor.data_ptr(), bytes, size_t(byte_count));
        *result = wrap(std::move(tensor));
    });
}

int ct_tensor_to_bytes(const ct_tensor *tensor, void *bytes, int64_t byte_count, char **error) {
    return guarded(error, [&] {
        auto host = unwrap(tensor).detach().cpu().contiguous();
        TORCH_CHECK(int64_t(host.nbytes()) == byte_count, "the tensor holds ", host.nbytes(), " bytes, room for ",
                    byte_count);
        if (byte_count > 0) std::memcpy(bytes, host.data_ptr(), size_t(byte_count));
    });
}

void ct_tensor_free(ct_tensor *tensor) { delete reinterpret_cast<at::Tensor *>(tensor); }
int64_t ct_tensor_rank(const ct_tensor *tensor) { return unwrap(tensor).dim(); }
int64_t ct_tensor_size(const ct_tensor *tensor, int64_t dimension) { return unwrap(tensor).sizes()[size_t(dimension)]; }
int64_t ct_tensor_stride(const ct_tensor *tensor, int64_t dimension) {
    return unwrap(tensor).strides()[size_t(dimension)];
}
int32_t ct_tensor_dtype(const ct_tensor *tensor) { return int32_t(unwrap(tensor).scalar_type()); }
int32_t ct_tensor_device_type(const ct_tensor *tensor) { return int32_t(unwrap(tensor).device().type()); }
int32_t ct_tensor_device_index(const ct_tensor *tensor) { return int32_t(unwrap(tensor).device().index()); }
int32_t ct_tensor_is_contiguous(const ct_tensor *tensor) { return unwrap(tensor).is_contiguous(); }
void *ct_tensor_data(const ct_tensor *tensor) { return unwrap(tensor).data_ptr(); }
int32_t ct_tensor_is_shared(const ct_tensor *tensor) {
    const auto &value = unwrap(tensor);
    return value.use_count() > 1 || value.storage().use_count() > 1;
}
