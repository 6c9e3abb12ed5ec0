extension Tensor {
    private static let adam = Operator("aten::_fused_adam_")

    /// One Adam step over all parameters in LibTorch's fused kernel, with L2 weight decay.
    ///
    /// - Parameter steps: the step number of each parameter, `float32` of rank 0, already increased.
    public static func fusedAdam(
        _ parameters: inout [Tensor], gradients: [Tensor], firstMoments: inout [Tensor],
        secondMoments: inout [Tensor], steps: [Tensor], rate: Double, decay: (Double, Double), weightDecay: Double,
        epsilon: Double
    ) {
        for i in parameters.indices {
            parameters[i].makeExclusive()
            firstMoments[i].makeExclusive()
            secondMoments[i].makeExclusive()
        }
        do {
            _ = try adam.call([
                .tensors(parameters), .tensors(gradients), .tensors(firstMoments), .tensors(secondMoments),
                .tensors([]), .tensors(steps), .double(rate), .double(decay.0), .double(decay.1),
                .double(weightDecay), .double(epsilon), .bool(false), .bool(false),
            ])
        } catch {
            preconditionFailure("\(error)")
        }
    }
}
