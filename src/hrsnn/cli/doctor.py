"""`hrsnn doctor`: say what this installation can do."""

from __future__ import annotations

from hrsnn.cli.app import FAILED, OK, DataDir, Json, Verb, print_json


def doctor(data_dir: DataDir = None, as_json: Json = False) -> Verb:
    """Say what this installation can do: versions, threads, extras, GPU, data. Exit code 1 if `run` cannot work."""

    def do() -> int:
        from hrsnn.console import aligned
        from hrsnn.doctor import examine

        findings = examine(data_dir)
        works = all(finding.ok for finding in findings if finding.needed)
        if as_json:
            rows = [{"topic": f.topic, "ok": f.ok, "needed": f.needed, "text": f.text} for f in findings]
            print_json({"ok": works, "findings": rows})
        else:
            marks = {True: "ok", False: "-"}
            table = [["FAIL" if f.needed and not f.ok else marks[f.ok], f.topic, f.text] for f in findings]
            print("\n".join(aligned(table, to_right=())))
            print("`hrsnn run` can work here." if works else "`hrsnn run` cannot work here; see FAIL above.")
        return OK if works else FAILED

    return do
