// Tensor handles: creation from host memory, metadata, data access.
#include "Support.hpp"

#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>

#include <cerrno>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

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

int ct_tensor_map_file(const char *path, int64_t offset, const int64_t *sizes, int64_t rank, int32_t dtype,
                       ct_tensor **result, char **error) {
    return guarded(error, [&] {
        const auto type = c10::ScalarType(dtype);
        const at::IntArrayRef shape(sizes, size_t(rank));
        const int64_t needed = offset + c10::multiply_integers(shape) * int64_t(c10::elementSize(type));
        const int descriptor = open(path, O_RDONLY | O_CLOEXEC);
        TORCH_CHECK(descriptor >= 0, path, ": ", std::strerror(errno));
        struct stat information;
        const bool fits = fstat(descriptor, &information) == 0 && information.st_size >= needed;
        void *base = fits ? mmap(nullptr, size_t(needed), PROT_READ, MAP_PRIVATE, descriptor, 0) : MAP_FAILED;
        const int code = errno;
        close(descriptor);
        TORCH_CHECK(fits, path, ": the file is shorter than ", needed, " bytes");
        TORCH_CHECK(base != MAP_FAILED, path, ": ", std::strerror(code));
        *result = wrap(at::from_blob(
            static_cast<char *>(base) + offset, shape, [base, needed](void *) { munmap(base, size_t(needed)); },
            at::TensorOptions().dtype(type)));
    });
}

int ct_tensor_to_bytes(const ct_tensor *tensor, void *bytes, int64_t byte_count, char **error) {
    return guarded(error, [&] {
        auto host = unwrap(tensor).detach().cpu().resolve_conj().resolve_neg().contiguous();
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
const void *ct_tensor_storage(const ct_tensor *tensor, int64_t *bytes) {
    const auto &storage = unwrap(tensor).storage();
    *bytes = int64_t(storage.nbytes());
    return storage.unsafeGetStorageImpl();
}
int32_t ct_tensor_is_file(const ct_tensor *tensor) { return !unwrap(tensor).storage().resizable(); }
int32_t ct_tensor_is_shared(const ct_tensor *tensor) {
    const auto &value = unwrap(tensor);
    // LibTorch owns, and may resize, every storage but that of a mapped file.
    return value.use_count() > 1 || value.storage().use_count() > 1 || !value.storage().resizable();
}
