// C interface to LibTorch. Every function is safe to call from C: no exception leaves it.
// A function that can fail returns 0 on success; otherwise it returns non-zero and stores a message in `*error`,
// which the caller frees with ct_string_free.
#ifndef DESCENT_CTORCH_H
#define DESCENT_CTORCH_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// An at::Tensor on the heap.
typedef struct ct_tensor ct_tensor;
/// An operator of the c10 dispatcher; lives as long as the process.
typedef struct ct_operator ct_operator;

typedef enum {
    CT_NONE = 0,
    CT_TENSOR = 1,
    CT_INT = 2,
    CT_DOUBLE = 3,
    CT_BOOL = 4,
    CT_INT_LIST = 5,
    CT_TENSOR_LIST = 6,
    CT_STRING = 7,
    CT_DEVICE = 8,
    CT_DOUBLE_LIST = 9,
} ct_tag;

/// A tagged argument or result. Pointers are borrowed in arguments and owned by the caller in results.
typedef struct {
    int32_t tag;
    int64_t integer;  // CT_INT, CT_BOOL; device type for CT_DEVICE
    double real;      // CT_DOUBLE
    const void *pointer;  // CT_TENSOR: ct_tensor*; lists: first element; CT_STRING: UTF-8 bytes
    int64_t count;    // lists and strings: length; device index for CT_DEVICE
} ct_value;

// Operators
int ct_operator_find(const char *name, const char *overload, const ct_operator **result, char **error);
/// Calls `op` boxed. Missing trailing arguments take the schema's defaults. Lists among the results are flattened. More
/// results than `capacity` go to an array of their own, `*more`, which the caller frees with ct_values_free.
int ct_operator_call(const ct_operator *op, const ct_value *arguments, int64_t argument_count, ct_value *results,
                     int64_t capacity, int64_t *result_count, ct_value **more, char **error);
/// Frees an array of results, not what they point to.
void ct_values_free(ct_value *values);

// Tensors
/// Copies `byte_count` bytes of C-ordered host data into a new tensor on the CPU.
int ct_tensor_from_bytes(const void *bytes, int64_t byte_count, const int64_t *sizes, int64_t rank, int32_t dtype,
                         ct_tensor **result, char **error);
/// A read-only tensor over the bytes of a file from `offset` on, C-ordered; pages are read when they are touched.
int ct_tensor_map_file(const char *path, int64_t offset, const int64_t *sizes, int64_t rank, int32_t dtype,
                       ct_tensor **result, char **error);
/// Copies the tensor's elements, in C order, to host memory of exactly `byte_count` bytes.
int ct_tensor_to_bytes(const ct_tensor *tensor, void *bytes, int64_t byte_count, char **error);
void ct_tensor_free(ct_tensor *tensor);
int64_t ct_tensor_rank(const ct_tensor *tensor);
int64_t ct_tensor_size(const ct_tensor *tensor, int64_t dimension);
int64_t ct_tensor_stride(const ct_tensor *tensor, int64_t dimension);
int32_t ct_tensor_dtype(const ct_tensor *tensor);
int32_t ct_tensor_device_type(const ct_tensor *tensor);
int32_t ct_tensor_device_index(const ct_tensor *tensor);
int32_t ct_tensor_is_contiguous(const ct_tensor *tensor);
/// What tells the tensor's storage from all others while it lives, and its size.
const void *ct_tensor_storage(const ct_tensor *tensor, int64_t *bytes);
/// 1 when the elements are those of a mapped file.
int32_t ct_tensor_is_file(const ct_tensor *tensor);
/// 1 when the storage must not be written: another tensor or a view shares it, or it is a file's.
int32_t ct_tensor_is_shared(const ct_tensor *tensor);
/// Address of the first element; only meaningful for tensors in host memory.
void *ct_tensor_data(const ct_tensor *tensor);

// Derivatives
/// An alias of the tensor that gradients are taken with respect to.
int ct_tensor_leaf(const ct_tensor *tensor, ct_tensor **result, char **error);
/// An alias of the tensor outside of any graph.
int ct_tensor_detached(const ct_tensor *tensor, ct_tensor **result, char **error);
/// Gradients of a scalar with respect to `count` leaves; zeros for leaves it does not depend on. Frees the graph
/// unless `create_graph` is set.
int ct_gradients(const ct_tensor *output, const ct_tensor *const *inputs, int64_t count, int32_t create_graph,
                 ct_tensor **results, char **error);
/// Whether operators on this thread record graphs.
int32_t ct_grad_enabled(void);
void ct_set_grad_enabled(int32_t enabled);

// Process-wide state
void ct_string_free(char *string);
int32_t ct_version_compiled(void);
const char *ct_version_string(void);
const char *ct_cpu_capability(void);
int32_t ct_threads(void);
void ct_set_threads(int32_t count);
int ct_manual_seed(uint64_t seed, char **error);
/// Loads libtorch_cuda.so from the folder of libtorch_cpu.so; 1 when a CUDA device can be used afterwards.
int32_t ct_cuda_device_count(void);
/// Folder that the loaded libtorch_cpu.so lies in; free with ct_string_free.
char *ct_library_folder(void);

#ifdef __cplusplus
}
#endif

#endif
