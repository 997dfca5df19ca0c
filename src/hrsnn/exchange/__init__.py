"""Exchange of networks with NIR, the graphs that other frameworks of spiking networks read and write.

    written      Network -> graph, and what the graph cannot say
    signals      graph of others -> what reaches every neuron, over which weights and delays
    read         graph -> Network
    files, load  graphs on disk, and one reader of networks for every verb
    form         how a graph is written: flavour, step, partner

docs/how-to/exchange.md says what is kept, per partner. Needs the extra `nir`.
"""

from __future__ import annotations

from hrsnn.exchange.files import write_graph
from hrsnn.exchange.form import PARTNERS, Form, Partner
from hrsnn.exchange.load import is_network_file, read_network
from hrsnn.exchange.read import from_nir
from hrsnn.exchange.written import Dropped, Written, to_nir

__all__ = [
    "PARTNERS",
    "Dropped",
    "Form",
    "Partner",
    "Written",
    "from_nir",
    "is_network_file",
    "read_network",
    "to_nir",
    "write_graph",
]
