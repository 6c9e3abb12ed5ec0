// Shared by the shim's files: error transport and handle conversion.
#pragma once

#if !__has_include(<ATen/core/Tensor.h>)
#error "LibTorch was not found. Run scripts/bootstrap in the package's folder, or set LIBTORCH to a LibTorch folder."
#else

#include <ATen/core/Tensor.h>

#include <cstdlib>
#include <cstring>
#include <exception>

#include "include/CTorch.h"

namespace ctorch {

inline char *copy_message(const char *text) noexcept {
    const size_t length = std::strlen(text);
    char *copy = static_cast<char *>(std::malloc(length + 1));
    if (copy) std::memcpy(copy, text, length + 1);
    return copy;
}

/// Runs `body`, turning every exception into a message.
template <class Body>
int guarded(char **error, Body &&body) noexcept {
    try {
        body();
        return 0;
    } catch (const c10::Error &failure) {
        *error = copy_message(failure.what_without_backtrace());
    } catch (const std::exception &failure) {
        *error = copy_message(failure.what());
    } catch (...) {
        *error = copy_message("unknown C++ exception");
    }
    return 1;
}

inline const at::Tensor &unwrap(const ct_tensor *tensor) { return *reinterpret_cast<const at::Tensor *>(tensor); }
inline ct_tensor *wrap(at::Tensor tensor) { return reinterpret_cast<ct_tensor *>(new at::Tensor(std::move(tensor))); }

}  // namespace ctorch

#endif
