// Process-wide state: version, threads, seeds, devices.
#include "Support.hpp"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <torch/headeronly/version.h>

#include <dlfcn.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#include <string>

using namespace ctorch;

static_assert(TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR >= 11,
              "Descent needs LibTorch 2.11 or later: run scripts/bootstrap");

#ifdef __GLIBC__
// By default glibc maps every large block anew, and touching its pages costs more than the arithmetic on them.
static const int keep_large_blocks = mallopt(M_MMAP_THRESHOLD, 1 << 30) + mallopt(M_TRIM_THRESHOLD, 1 << 30);
#endif

void ct_string_free(char *string) { std::free(string); }
int32_t ct_version_compiled(void) { return TORCH_VERSION_MAJOR * 100 + TORCH_VERSION_MINOR; }
const char *ct_version_string(void) { return TORCH_VERSION; }

const char *ct_cpu_capability(void) {
    static const std::string text = [] {
        try {
            return at::get_cpu_capability();
        } catch (...) {
            return std::string("unknown");
        }
    }();
    return text.c_str();
}

int32_t ct_threads(void) { return at::get_num_threads(); }

void ct_set_threads(int32_t count) {
    try {
        at::set_num_threads(count);
    } catch (...) {
        // The count is read back by the caller; a refusal shows there.
    }
}

int ct_manual_seed(uint64_t seed, char **error) {
    return guarded(error, [&] { at::manual_seed(seed); });
}

char *ct_library_folder(void) {
    Dl_info info;
    // Any symbol of libtorch_cpu.so tells where it was loaded from.
    if (!dladdr(reinterpret_cast<void *>(&at::get_num_threads), &info) || !info.dli_fname) return nullptr;
    std::string path(info.dli_fname);
    const auto slash = path.rfind('/');
    return copy_message(slash == std::string::npos ? "." : path.substr(0, slash).c_str());
}

int32_t ct_cuda_device_count(void) {
    static const bool loaded = [] {
        char *folder = ct_library_folder();
        if (!folder) return false;
        const std::string library = std::string(folder) + "/libtorch_cuda.so";
        ct_string_free(folder);
        return dlopen(library.c_str(), RTLD_NOW | RTLD_GLOBAL) != nullptr;
    }();
    if (!loaded) return 0;
    try {
        return at::globalContext().hasCUDA() ? int32_t(at::detail::getCUDAHooks().deviceCount()) : 0;
    } catch (...) {
        return 0;
    }
}
