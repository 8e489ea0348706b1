"""The engine's command lines: input to exact argv."""

import dataclasses
import shlex
from pathlib import Path

import pytest
import yaml
from ansible.module_utils.twinspark.inventory.fabric import Host, Rail
from ansible.module_utils.twinspark.proof.json_form import ShapeError
from ansible.module_utils.twinspark.serving import argv as engine

from tests.support import cases

HERE = Path(__file__).parent
ROOT = HERE.parents[3]
# The role's own defaults, those that are no template: a setting that is added there is one here.
DEFAULTS = {
    name.removeprefix("vllm_serve_"): value
    for name, value in yaml.safe_load((ROOT / "roles/vllm_serve/defaults/main.yml").read_text()).items()
    if "{{" not in str(value)
}
RAILS = (
    Rail("rail1", "enp1s0f1np1", "rocep1s0f1", "192.168.177.0/24", "192.168.177.12", 24, "192.168.177.12/24"),
    Rail("rail2", "enP2p1s0f1np1", "roceP2p1s0f1", "192.168.178.0/24", "192.168.178.12", 24, "192.168.178.12/24"),
)
WORKER = Host("spark2", 1, "10.0.0.2", "spark", RAILS)
HEAD = dataclasses.replace(WORKER, host="spark1", rank=0)


IMAGE = "sha256:0123456789ab" + "c" * 52


def base(**settings):
    known = {
        **DEFAULTS,
        "name": "twinspark-vllm",
        "image": IMAGE,
        "model": "/hub/model",
        "served_name": "tiny",
        "command": ["vllm", "serve"],
        "args": ["--max-model-len", "2048"],
        "tensor_parallel": 2,
        "pipeline_parallel": 1,
        "gpu_memory_utilization": None,
        "master_addr": "192.168.177.11",
        "master_port": 29501,
        "port": 8000,
        "env": {},
        "docker_options": [],
        "volumes": [],
        "env_file": "/etc/twinspark/vllm.env",
    }
    return engine.Engine.from_json({**known, **settings})


@pytest.mark.parametrize("case", cases(HERE / "cases/argv.yaml"))
def test_engine_argv(case):
    made = engine.engine_argv(base(**case.get("settings", {})), case["rank"], case["ranks"])
    assert made == case["argv"]


def test_a_rank_is_held_to_its_own_rails():
    env = engine.rank_env(base(env={"OMP_NUM_THREADS": 1}), WORKER)
    assert env["VLLM_HOST_IP"] == "192.168.177.12"
    assert env["NCCL_IB_HCA"] == "=rocep1s0f1,roceP2p1s0f1"
    assert {env[f"{what}_SOCKET_IFNAME"] for what in ("NCCL", "GLOO", "TP")} == {"enp1s0f1np1"}
    assert env["OMP_NUM_THREADS"] == "1"
    assert "NCCL_IB_GID_INDEX" not in env  # empty is not unset: NCCL chooses by itself


def test_without_rdma_nccl_is_not_held_to_devices():
    env = engine.rank_env(base(rdma=False), WORKER)
    assert not [key for key in env if key.startswith("NCCL_IB") or key == "NCCL_NET"]


def test_docker_argv_of_a_spark():
    run = engine.docker_argv(
        base(
            docker_options=["--gpus=all", "--device=/dev/infiniband"],
            shm_size="64g",
            volumes=["/home/spark/.cache/huggingface/hub:/root/.cache/huggingface/hub:ro"],
        ),
        ["vllm", "serve"],
        "abc",
    )
    assert run == shlex.split(
        "/usr/bin/docker run --rm --init --name twinspark-vllm --label io.twinspark.engine=abc --log-driver none "
        "--network host --ipc host --security-opt no-new-privileges --cap-drop ALL --cap-add DAC_OVERRIDE "
        "--pids-limit 16384 --oom-score-adj 500 --gpus=all --device=/dev/infiniband --env-file /etc/twinspark/vllm.env "
        "--volume /home/spark/.cache/huggingface/hub:/root/.cache/huggingface/hub:ro "
        f"--entrypoint '' {IMAGE} vllm serve"
    )


@pytest.mark.parametrize(
    ("settings", "options"),
    [
        ({}, "--security-opt no-new-privileges --cap-drop ALL --cap-add DAC_OVERRIDE --pids-limit 16384 "
             "--oom-score-adj 500"),
        ({"no_new_privileges": False}, "--cap-drop ALL --cap-add DAC_OVERRIDE --pids-limit 16384 --oom-score-adj 500"),
        ({"capabilities": []}, "--security-opt no-new-privileges --cap-drop ALL --pids-limit 16384 "
                               "--oom-score-adj 500"),
        ({"capabilities": ["DAC_OVERRIDE", "SYS_NICE"], "pids_limit": 0},
         "--security-opt no-new-privileges --cap-drop ALL --cap-add DAC_OVERRIDE --cap-add SYS_NICE "
         "--oom-score-adj 500"),
        ({"capabilities": None, "oom_score_adj": 0}, "--security-opt no-new-privileges --pids-limit 16384"),
        ({"no_new_privileges": False, "capabilities": None, "pids_limit": 0, "oom_score_adj": 0}, ""),
        # What the owner gives the container leaves it confined.
        ({"docker_options": ["--gpus=all"], "pids_limit": "9", "oom_score_adj": -5},
         "--security-opt no-new-privileges --cap-drop ALL --cap-add DAC_OVERRIDE --pids-limit 9 --oom-score-adj -5"),
    ],
)  # fmt: skip
def test_the_container_is_confined_unless_a_setting_says_otherwise(settings, options):
    engine_of = base(**settings)
    assert " ".join(engine.confinement(engine_of)) == options
    # Ahead of the owner's: where Docker takes one value, the last one counts.
    assert (
        f"--ipc host {options} {' '.join(engine_of.docker_options)}".split()
        == (
            " ".join(engine.docker_argv(engine_of, [], "x")).partition("--network host ")[2].partition(" --env-file")[0]
        ).split()
    )


@pytest.mark.parametrize(
    ("env", "rdma", "rails", "wanted"),
    [
        ({}, True, RAILS, {"NCCL_IGNORE_CPU_AFFINITY": "1", "NCCL_DEBUG": "INFO", "NCCL_DEBUG_SUBSYS": "INIT,NET"}),
        ({"NCCL_DEBUG": "WARN", "NCCL_IGNORE_CPU_AFFINITY": 0}, True, RAILS,
         {"NCCL_IGNORE_CPU_AFFINITY": "0", "NCCL_DEBUG": "WARN", "NCCL_DEBUG_SUBSYS": "INIT,NET"}),
        ({}, False, RAILS, {"NCCL_IGNORE_CPU_AFFINITY": "1", "NCCL_DEBUG": None, "NCCL_DEBUG_SUBSYS": None}),
        ({}, True, (), {"NCCL_DEBUG": None}),  # a host alone has no rail
        ({"NCCL_NET": "Socket", "NCCL_IB_HCA": "x"}, True, RAILS,
         {"NCCL_NET": "IB", "NCCL_IB_HCA": "=rocep1s0f1,roceP2p1s0f1"}),
    ],
)  # fmt: skip
def test_nccl_says_what_it_uses_unless_the_profile_has_its_own(env, rdma, rails, wanted):
    made = engine.rank_env(base(env=env, rdma=rdma), dataclasses.replace(WORKER, rails=rails))
    assert {name: made.get(name) for name in wanted} == wanted


@pytest.mark.parametrize(
    ("image", "key"),
    [(IMAGE, "0123456789ab"), ("engine:0123456789ab", engine.NO_IMAGE), ("", engine.NO_IMAGE),
     ("sha256:0123456789ab", engine.NO_IMAGE), ("sha256:../../../../etc" + "c" * 52, engine.NO_IMAGE)],
)  # fmt: skip
def test_caches_are_keyed_by_the_image_s_id(image, key):
    assert engine.cache_key(image) == key


OTHER = "sha256:" + "d" * 64


@pytest.mark.parametrize(
    ("present", "image", "previous", "stale"),
    [
        (["0123456789ab", "d" * 12, "e" * 12, "1" * 12], IMAGE, OTHER, ["1" * 12, "e" * 12]),
        (["0123456789ab", "d" * 12], IMAGE, OTHER, []),
        (["root", "e" * 13, "E" * 12, "e" * 12 + "\n", engine.NO_IMAGE], IMAGE, OTHER, []),  # not of this form
        (["e" * 12], IMAGE, "", []),  # the one before is not known
        (["e" * 12], "engine:0123456789ab", OTHER, []),
    ],
)
def test_caches_older_than_the_image_before_are_stale(present, image, previous, stale):
    assert engine.stale_caches(present, image, previous) == stale


def test_a_private_ipc_namespace_gets_its_own_shm():
    run = engine.docker_argv(base(ipc="private", shm_size="1g"), [], "x")
    assert "--ipc private --shm-size 1g" in " ".join(run)


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("--port", "--port"),
        ("", '""'),
        ('{"a":1}', '"{\\"a\\":1}"'),
        ("100%", "100%%"),
        ("$HOME", "$$HOME"),
        ("two words", '"two words"'),
        ("back\\slash", '"back\\\\slash"'),
    ],
)
def test_systemd_reads_the_word_as_it_was_meant(word, text):
    assert engine.unit_word(word) == text


@pytest.mark.parametrize(
    ("settings", "ranks", "sentence"),
    [
        ({}, 3, "the profile is for 2 ranks"),
        ({"image": ""}, 2, "the head does not have the image: run `twinspark apply --stage image`"),
        ({"args": ["--port", "1"]}, 2, "--port is among the engine's arguments"),
        ({"args": ["--host=0.0.0.0"]}, 2, "--host is among the engine's arguments"),
        ({"flag_port": 1}, 2, "--port is among the engine's arguments"),
        ({"flag_max_model_len": 9}, 2, "--max-model-len is set twice, by vllm_serve_flag_max_model_len and in"),
        ({"args": ["--api-key=secret"]}, 2, "--api-key is among the engine's arguments"),
    ],
)
def test_what_cannot_work_is_told_before_the_start(settings, ranks, sentence):
    (problem,) = engine.problems(base(**settings), ranks)
    assert sentence in problem


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"port": "eight"}, "vllm_serve: port must be a whole number, not 'eight'"),
        ({"args": ["--flag", True]}, "vllm_serve: args, entry 2 must be .*, not True"),
        ({"env": {"A": [1]}}, "vllm_serve: env: A must be .*, not"),
        ({"capabilities": "ALL"}, "vllm_serve: capabilities must be a list"),
        ({"rdma": None}, "vllm_serve: rdma must be true or false, not null"),
    ],
)
def test_a_setting_of_the_wrong_kind_is_named(settings, sentence):
    with pytest.raises(ShapeError, match=sentence):
        base(**settings)


def test_a_missing_setting_is_named():
    with pytest.raises(ShapeError, match="vllm_serve: name is missing"):
        engine.Engine.from_json(DEFAULTS)


@pytest.mark.parametrize(
    "settings",
    [
        {"image": "sha256:other"},
        {"capabilities": []},
        {"env": {"A": "1"}},
        {"port": 8001},
        {"args": []},
        {"ipc": "private"},
    ],
)
def test_whatever_would_run_otherwise_changes_the_digest(settings):
    assert engine.plan(base(), HEAD, 2).digest != engine.plan(base(**settings), HEAD, 2).digest


def test_rank_0_closes_its_rendezvous_and_no_other_rank_has_any():
    head = engine.plan(base(), HEAD, 2)
    assert head.rendezvous_interfaces == ["lo", "enp1s0f1np1", "enP2p1s0f1np1"]
    open_on_purpose = engine.plan(base(close_rendezvous=False), HEAD, 2)
    alone = engine.plan(base(tensor_parallel=1), dataclasses.replace(HEAD, rails=()), 1)
    for plan in (engine.plan(base(), WORKER, 2), open_on_purpose, alone):
        assert plan.rendezvous_interfaces == []
    # The engine's own command is the same: closing the port restarts nobody.
    assert head.digest == open_on_purpose.digest


@pytest.mark.parametrize("name", ["", 'rail" accept', "a b", "a\\b"])
def test_a_name_that_nft_would_not_take_is_refused(name):
    rails = (dataclasses.replace(RAILS[0], interface=name),)
    with pytest.raises(engine.EngineError, match="not the name of an interface"):
        engine.plan(base(), dataclasses.replace(HEAD, rails=rails), 2)


def test_a_line_break_in_the_environment_is_refused():
    with pytest.raises(engine.EngineError, match="line break"):
        engine.rank_env(base(env={"A": "1\n2"}), WORKER)


def test_the_real_profile_is_the_articles_recipe(root):
    profile = yaml.safe_load((root / "profiles/deepseek-v4-flash.yml").read_text())["serve"]
    flags = {f"flag_{name}": profile[name] for name in ("max_model_len", "max_num_seqs")}
    settings = base(args=profile["args"], gpu_memory_utilization=profile["gpu_memory_utilization"], **flags)
    assert not engine.problems(settings, profile["tensor_parallel"])
    argv = " ".join(engine.engine_argv(settings, 0, 2))
    for part in (
        "--gpu-memory-utilization 0.8",
        "--max-model-len 200000",
        "--max-num-seqs 2",
        "--enable-expert-parallel",
        '--speculative-config {"method":"deepseek_mtp","num_speculative_tokens":2}',
        '"reasoning_start_str":"<think>"',
        '--default-chat-template-kwargs {"thinking":true}',
    ):
        assert part in argv
