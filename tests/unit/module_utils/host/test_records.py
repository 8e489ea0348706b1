"""What a host remembers of its jobs."""

import pytest
from ansible.module_utils.twinspark.proof.jobs import Job, Recorded
from ansible.module_utils.twinspark_host.records import read_record, write_record


def test_what_was_written_is_read_again(tmp_path):
    job = Job("fetch", ("x",), environment={"A": "1", "B": 2})
    record = Recorded(digest=job.digest(), spec=job, state="done", exit_code=0, started=1.5, ended=2.5)
    write_record(tmp_path, record)
    assert read_record(tmp_path) == record


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"state": "gone"}', '{"started": "yesterday"}', "null"])
def test_a_record_of_another_form_is_as_good_as_none(tmp_path, text):
    (tmp_path / "result.json").write_text(text)
    assert read_record(tmp_path) == Recorded()
