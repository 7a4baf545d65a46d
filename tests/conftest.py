"""Fixtures that tests of every folder may ask for."""

from __future__ import annotations

import signal
import threading

from tests.cluster.fixtures import cluster, kind_cluster, namespace, ready_cluster

__all__ = ["cluster", "kind_cluster", "namespace", "ready_cluster"]

if threading.current_thread() is threading.main_thread():
    # Whoever started the tests may have had signals ignored or blocked (nohup, a shell's `&`): what inherits that cannot
    # be cancelled as jobs are, and a shell cannot even trap them.
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGTERM):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler if number is signal.SIGINT else signal.SIG_DFL)
