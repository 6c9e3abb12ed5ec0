// Whole optimizer steps in LibTorch's fused kernels: one pass over memory, on the CPU and on CUDA.

extension Tensor {
    private static let adam = Operator("aten::_fused_adam_")
    private static let adamW = Operator("aten::_fused_adamw_")
    private static let sgd = Operator("aten::_fused_sgd_")

    /// One step of Adam over all parameters, or of AdamW when the decay is decoupled.
    ///
    /// - Parameters:
    ///   - gradients: one for each parameter, of its shape and type.
    ///   - steps: the step number of each parameter, `float32` of rank 0, already increased.
    ///   - isDecoupled: whether the weights shrink by `1 − rate · weightDecay` instead of entering the gradient.
    public static func fusedAdam(
        _ parameters: inout [Tensor], gradients: [Tensor], firstMoments: inout [Tensor],
        secondMoments: inout [Tensor], steps: [Tensor], rate: Double, decay: (Double, Double), weightDecay: Double,
        epsilon: Double, isDecoupled: Bool = false
    ) {
        prepare(&parameters)
        prepare(&firstMoments)
        prepare(&secondMoments)
        run(
            isDecoupled ? adamW : adam,
            [
                .tensors(parameters), .tensors(gradients.map { $0.contiguous() }), .tensors(firstMoments),
                .tensors(secondMoments), .tensors([]), .tensors(steps), .double(rate), .double(decay.0),
                .double(decay.1), .double(weightDecay), .double(epsilon), .bool(false), .bool(false),
            ])
    }

    /// One step of SGD with momentum over all parameters, whose buffers exist already.
    public static func fusedSGD(
        _ parameters: inout [Tensor], gradients: [Tensor], buffers: inout [Tensor], rate: Double, momentum: Double,
        dampening: Double, nesterov: Bool, weightDecay: Double
    ) {
        prepare(&parameters)
        prepare(&buffers)
        run(
            sgd,
            [
                .tensors(parameters), .tensors(gradients.map { $0.contiguous() }), .tensors(buffers),
                .double(weightDecay), .double(momentum), .double(rate), .double(dampening), .bool(nesterov),
                .bool(false), .bool(false),
            ])
    }

    /// The kernels write into the storage as it lies.
    private static func prepare(_ tensors: inout [Tensor]) {
        for i in tensors.indices {
            tensors[i].makeExclusive()
            if !tensors[i].isContiguous { tensors[i] = tensors[i].contiguous() }
        }
    }

    private static func run(_ operation: Operator, _ arguments: [Value]) {
        do {
            _ = try operation.call(arguments)
        } catch {
            Runtime.fail(error)
        }
    }
}
