// One import for everything a user of the library needs.
@_exported import ConvexNetworks
@_exported import Datasets
@_exported import Estimators
@_exported import Interchange
@_exported import Networks
@_exported import Optimizers
@_exported import Programs
@_exported import Proximal
@_exported import Reports
@_exported import RunLog
@_exported import Settings
@_exported import Solvers
@_exported import Structure
@_exported import Torch
@_exported import Training
@_exported import Trajectories
