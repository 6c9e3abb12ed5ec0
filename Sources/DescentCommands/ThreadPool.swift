#if canImport(Glibc)
    import Glibc
#endif

/// Settings of the OpenMP threads that LibTorch computes on.
enum ThreadPool {
    /// Lets idle threads sleep after a short spin instead of a long one.
    ///
    /// By default they spin for milliseconds at every barrier. As soon as another program shares the cores, the thread
    /// that still has work waits behind them and a run becomes tens of times slower. OpenMP reads its settings before
    /// `main`, so the program starts itself once more with them.
    static func useShortSpins() {
        #if canImport(Glibc)
            guard getenv("GOMP_SPINCOUNT") == nil, getenv("OMP_WAIT_POLICY") == nil else { return }
            setenv("GOMP_SPINCOUNT", "10000", 1)
            var arguments = CommandLine.arguments.map { strdup($0) } + [nil]
            execv("/proc/self/exe", &arguments)
        // Without /proc the run goes on as it is.
        #endif
    }
}
