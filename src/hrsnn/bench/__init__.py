"""The performance suite behind `hrsnn bench`: hrsnn, a physical limit and other simulators on the same networks.

Method. Every engine is a process of its own with one thread (where nothing else is said) that builds its network once
and is then asked to run it from the initial state, again and again (`peers.protocol`). One round asks every engine
once, one after the other; a suite has several rounds. Reported are medians over rounds with the smallest and the
largest value, ratios formed within rounds, CPU seconds in user mode beside wall seconds (on a busy machine only the
former mean something), and the peak of the process's memory. hrsnn is timed as a whole public call, its peers at their
time loop alone, without set-up, code generation or the reading of results. Events are deliveries of spikes over
recurrent and input synapses, counted from spikes and out-degrees, so an engine whose rate differs is compared per event
all the same. The limit is `limit.scatter` at the same size in the same round. What could not be measured is None.

    from hrsnn.bench import plan, run_suite
    document = run_suite(plan(["W1"], neurons=[1000]), rounds=3)

`workloads` says what is simulated, `simulators` what is started, `measure` how rounds become rows, `suite` what belongs
to the suite.
"""

from hrsnn.bench.measure import Failure, measure
from hrsnn.bench.simulators import PEERS, Engine, peer_folder, peers_in
from hrsnn.bench.suite import NAMES, Step, plan, run_suite
from hrsnn.bench.workloads import Workload, arrays_of, network_of, spikes_of
from hrsnn.speed import Measured

__all__ = [
    "NAMES",
    "PEERS",
    "Engine",
    "Failure",
    "Measured",
    "Step",
    "Workload",
    "arrays_of",
    "measure",
    "network_of",
    "peer_folder",
    "peers_in",
    "plan",
    "run_suite",
    "spikes_of",
]
