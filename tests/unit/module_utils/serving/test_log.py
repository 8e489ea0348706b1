"""One line of an engine's log, in each process's format."""

import pytest
from ansible.module_utils.twinspark.serving import log


@pytest.mark.parametrize(
    ("line", "text", "error"),
    [
        ("(EngineCore pid=2922) INFO 11-25 00:41:53 [core.py:347] init engine took 1 s", "init engine took 1 s", False),
        ("ERROR 11-25 00:44:59 [multiproc_executor.py:284] Worker proc died", "Worker proc died", True),
        (
            "(EngineCore pid=9) ERROR 11-25 00:50:14 [core.py:1332]     raise TimeoutError",
            "    raise TimeoutError",
            False,
        ),
        ("(EngineCore pid=9) ERROR 11-25 00:50:14 [core.py:1332] TimeoutError\r", "TimeoutError", True),
        ("(APIServer pid=1) INFO:     Shutting down", "Shutting down", False),
        ("ERROR:    [Errno 98] address already in use", "[Errno 98] address already in use", True),
        (
            "(RustFrontend pid=3) INFO 05-27 15:38:24 [routes.rs:79] Available routes are:",
            "Available routes are:",
            False,
        ),
        ("name  | (VllmWorker rank=3 pid=286) DEBUG 04-11 13:15:00 [utils.py:8] x", "x", False),
        ("2026-09-02 11:57:03,500 - INFO - autotuner.py:829 - flashinfer.jit: starts", "flashinfer.jit: starts", False),
        ("vm:3093:3093 [0] NCCL INFO NET/IB : No device found.", "NET/IB : No device found.", False),
        ("[2026-11-25 00:45:14] vm:1:2 [0] misc/socket.cc:72 NCCL WARN Connection closed", "Connection closed", True),
        ("[rank0]:[W807 21:51:35.702520181 ProcessGroupNCCL.cpp:1575] Warning: x", "Warning: x", False),
        ("[rank1]:[E210 02:06:33.347835395 ProcessGroupNCCL.cpp:1595] Watchdog", "Watchdog", True),
        ("/usr/lib/python3.12/multiprocessing/resource_tracker.py:254: UserWarning: leaked", "leaked", False),
        (
            "(APIServer pid=1) ModuleNotFoundError: No module named 'x'",
            "ModuleNotFoundError: No module named 'x'",
            True,
        ),
        ('(APIServer pid=1)   File "/usr/local/bin/vllm", line 8', '  File "/usr/local/bin/vllm", line 8', False),
        ("", "", True),
    ],
)
def test_a_line_is_read_in_the_format_of_its_process(line, text, error):
    assert log.read(line) == log.Line(text, error)


def test_only_the_servers_own_words_say_that_it_listens():
    ready = ["x", "(APIServer pid=1) INFO:     Application startup complete.", "y"]
    assert log.since_ready(ready) == ["y"]
    asked = ["(APIServer pid=1) INFO 09-13 08:41:10 [logger.py:51] Received: 'Application startup complete'", "y"]
    assert log.since_ready(asked) == asked
