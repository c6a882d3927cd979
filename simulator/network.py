"""What the simulator needs of a reactor."""

from __future__ import annotations

from twisted.internet.interfaces import IReactorCore, IReactorTCP, IReactorTime, IReactorUDP


class NetworkReactor(IReactorCore, IReactorTCP, IReactorTime, IReactorUDP):
    """Sockets, names and time: any of Twisted's reactors."""
