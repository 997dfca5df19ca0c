"""Lyapunov exponents of spiking networks, of their neurons, and of any map (method.md 12.1).

Exponents of a driven network are conditional on its drive.

    qr          the QR method for any tangent map
    surrogate   estimator (S): the spectrum of a network, the spike replaced by its surrogate
    nodes       exponents of neurons
    tangent     the tangent map of a network along its trajectory; `kernels` is what of it is compiled
    activity    what the network does under the drive
    events      estimators (E) and (F), in continuous time from event to event, for up to 200 neurons;
                `event_simulation` runs the network, `event_kernel` is what of it is compiled
"""

from hrsnn.analysis.lyapunov.events import EventSpectrum, TwoTrajectories, saltation_spectrum, two_trajectories
from hrsnn.analysis.lyapunov.nodes import LocalExponents, local_exponents, node_exponents
from hrsnn.analysis.lyapunov.qr import QrExponents, qr_exponents
from hrsnn.analysis.lyapunov.surrogate import LyapunovSpectrum, lyapunov_spectrum
from hrsnn.analysis.lyapunov.tangent import SURROGATE_GAIN

__all__ = [
    "SURROGATE_GAIN",
    "EventSpectrum",
    "LocalExponents",
    "LyapunovSpectrum",
    "QrExponents",
    "TwoTrajectories",
    "local_exponents",
    "lyapunov_spectrum",
    "node_exponents",
    "qr_exponents",
    "saltation_spectrum",
    "two_trajectories",
]
