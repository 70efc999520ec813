"""The mock cluster of librdkafka, as a process that speaks Kafka's protocol over TCP until it is killed. It says
where it listens. SIGUSR1 takes its broker down, SIGUSR2 up again.

https://github.com/confluentinc/librdkafka/blob/master/src/rdkafka_mock.h, of the library that confluent-kafka ships:
its Python side does not show it, so it is called as C.
"""

from __future__ import annotations

import ctypes
import signal
from ctypes import c_char_p, c_int, c_int32, c_size_t, c_void_p

from confluent_kafka import cimpl

ALL = -1


def main() -> None:
    rdkafka = ctypes.CDLL(cimpl.__file__)  # finds what it is linked to
    rdkafka.rd_kafka_conf_new.restype = c_void_p
    rdkafka.rd_kafka_new.restype = c_void_p
    rdkafka.rd_kafka_new.argtypes = [c_int, c_void_p, c_char_p, c_size_t]
    rdkafka.rd_kafka_mock_cluster_new.restype = c_void_p
    rdkafka.rd_kafka_mock_cluster_new.argtypes = [c_void_p, c_int]
    rdkafka.rd_kafka_mock_cluster_bootstraps.restype = c_char_p
    rdkafka.rd_kafka_mock_cluster_bootstraps.argtypes = [c_void_p]
    rdkafka.rd_kafka_mock_group_initial_rebalance_delay_ms.argtypes = [c_void_p, c_int32]
    for name in ("down", "up"):
        getattr(rdkafka, f"rd_kafka_mock_broker_set_{name}").argtypes = [c_void_p, c_int32]

    why = ctypes.create_string_buffer(512)
    owner = rdkafka.rd_kafka_new(0, rdkafka.rd_kafka_conf_new(), why, len(why))
    cluster = rdkafka.rd_kafka_mock_cluster_new(owner, 1)
    rdkafka.rd_kafka_mock_group_initial_rebalance_delay_ms(cluster, 0)
    orders = {
        signal.SIGUSR1: rdkafka.rd_kafka_mock_broker_set_down,
        signal.SIGUSR2: rdkafka.rd_kafka_mock_broker_set_up,
    }
    signal.pthread_sigmask(signal.SIG_BLOCK, orders)
    print(rdkafka.rd_kafka_mock_cluster_bootstraps(cluster).decode(), flush=True)
    while True:
        orders[signal.Signals(signal.sigwait(orders))](cluster, ALL)


if __name__ == "__main__":
    main()
