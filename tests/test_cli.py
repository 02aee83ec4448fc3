"""The command as a user runs it: exit codes, messages, files."""

import ast
import re
import subprocess
import sys
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import geopandas as gpd
import pandas as pd
import pytest
from typer.main import get_command

from roadgraph import cli, explanation, prediction, reporting, workflow
from roadgraph.batch.asked import Asked
from roadgraph.batch.outcome import Outcome, RunReport
from roadgraph.batch.plan import Task
from roadgraph.batch.run import Watch
from roadgraph.cli import model_commands
from roadgraph.cli.screen import show_table
from roadgraph.comparison.recorder import Recorded
from roadgraph.errors import LockError
from roadgraph.network.carry_over import read_carry_over
from roadgraph.network.network import write_network
from roadgraph.promotion.decision import decide, decide_unopposed
from roadgraph.promotion.fetching import RegisteredBundle
from roadgraph.promotion.promoting import Promotion
from roadgraph.quality.checks import Check
from roadgraph.settings import Settings
from roadgraph.slices.report import SlicesReport
from roadgraph.tracking.outbox import Left
from roadgraph.tracking.overview import Tracking
from roadgraph.tracking.versions import Version
from tests.kills import leftovers_of, tree_of
from tests.promotion.toy import contest_by_hand
from tests.toy import crossroads_network, straight_network, write_road_layer
from tests.toy_city import write_city


def run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str
) -> tuple[int, str, str]:
    """Run ``roadgraph`` in this process; return exit code, standard output and error."""
    monkeypatch.setattr(sys, "argv", ["roadgraph", *arguments])
    monkeypatch.setenv("COLUMNS", "200")
    with pytest.raises(SystemExit) as ended:
        cli.main()
    out, err = capsys.readouterr()
    code = ended.value.code
    return (0 if code is None else int(code)), out, " ".join(err.split())


@pytest.fixture
def city(tmp_path: Path) -> list[str]:
    return write_city(tmp_path / "city")


def test_the_whole_way_by_four_commands(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    city: list[str],
    tmp_path: Path,
) -> None:
    monkeypatch.setattr(cli.screen, "width", 200, raising=False)
    code, out, _ = run(monkeypatch, capsys, "network", *city)
    assert code == 0
    assert "network toy (gis): segments 3, kilometres 0.3, links 2" in out
    assert re.search(r"residential +3 +0\.3", out)
    assert "cut away" not in out
    code, out, _ = run(monkeypatch, capsys, "slices", *city)
    assert code == 0
    assert re.search(r"([\d,]+) rows in = \1 used \+ 0 quarantined; 1,440 slices", out)
    assert re.search(r"matched 100\.0% of [\d,]+ fixes, 480 trips", out)
    code, out, _ = run(monkeypatch, capsys, "train", *city, "size=enhanced")
    assert code == 0
    assert "gcn-enhanced" in out
    assert "persistence" in out
    assert "mlflow ui --backend-store-uri sqlite:///" in out
    bundle = tmp_path / "city" / "work" / "toy" / "bundles" / "gcn-enhanced"
    predictions = tmp_path / "mine.csv"
    code, _, err = run(
        monkeypatch, capsys,
        "predict", *city, "--bundle", str(bundle), "--out", str(predictions),
    )  # fmt: skip
    assert code == 0, err
    assert len(predictions.read_text("utf-8").splitlines()) == 1 + 3 * 4


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["training.max_epoch=3"], "no setting 'training.max_epoch'; did you mean 'training.max_"),
        (
            ["model=gnc"],
            "model: no choice 'gnc' (there are attention, gat, gcn, mlp, roadnet)",
        ),
        (["training.max_epochs=0"], "training.max_epochs: must be at least 1 (found 0)"),
        (["network.parts=largest"], "no two of its 3 segments can be reached from each other"),
        (["city.roads=nowhere.geojson"], "road layer nowhere.geojson is missing; set city.roads"),
        (["city.timezone=Mars/Olympus"], "no time zone 'Mars/Olympus'"),
    ],
)
def test_a_mistake_is_one_message_on_standard_error_and_exit_code_2(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    city: list[str],
    overrides: list[str],
    message: str,
) -> None:
    run(monkeypatch, capsys, "network", *city)
    command = "slices" if "timezone" in overrides[0] else "network"
    code, out, err = run(monkeypatch, capsys, command, *city, *overrides)
    assert code == 2
    assert message in err
    assert "Traceback" not in err
    assert "error:" not in out


@pytest.fixture
def crossing(tmp_path: Path) -> list[str]:
    """Write the crossroads and, elsewhere, A, B and C, which nothing leads back to."""
    both = pd.concat([crossroads_network().segments, straight_network().segments])
    roads = write_road_layer(gpd.GeoDataFrame(both), tmp_path / "crossing.geojson")
    return [f"city.roads={roads}", "city.name=crossing", f"workspace={tmp_path / 'work'}"]


def test_what_was_cut_away_is_printed_with_its_first_names(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    crossing: list[str],
    tmp_path: Path,
) -> None:
    code, out, _ = run(monkeypatch, capsys, "network", *crossing)
    assert code == 0
    assert "network crossing (gis): segments 8, kilometres 0.8, links 16" in out
    assert "speed limit known 100%" in out
    assert "cut away 3 segments, 0.3 km, that traffic cannot get to and back from: A, B, C" in out
    names = {path.name for path in (tmp_path / "work" / "crossing" / "network").iterdir()}
    assert names == {
        "segments.parquet", "links.parquet", "network.json", "network.png", "network.svg",
        "cut.csv",
    }  # fmt: skip


def test_network_and_network_import_are_the_same(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], crossing: list[str]
) -> None:
    short = run(monkeypatch, capsys, "network", *crossing)
    assert run(monkeypatch, capsys, "network", "import", *crossing) == short


def test_two_imports_are_compared_and_the_table_is_written(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    crossing: list[str],
    tmp_path: Path,
) -> None:
    run(monkeypatch, capsys, "network", *crossing, "network.parts=all", "city.name=old")
    run(monkeypatch, capsys, "network", *crossing, "city.name=new")
    old, new = tmp_path / "work" / "old", tmp_path / "work" / "new" / "network"
    code, out, _ = run(monkeypatch, capsys, "network", "diff", str(old), str(new))
    assert code == 0
    assert re.search(r"same +8 +8", out)
    assert re.search(r"gone +3 +0", out)
    assert f"wrote {new / 'carry_over.parquet'}" in out
    assert len(read_carry_over(new / "carry_over.parquet")) == 11
    back = tmp_path / "back.csv"
    code, out, _ = run(
        monkeypatch, capsys,
        "network", "diff", str(new), str(old), "network.diff_tolerance_m=5", "--out", str(back),
    )  # fmt: skip
    assert code == 0
    assert re.search(r"new +0 +3", out)
    assert read_carry_over(back)["change"].to_pylist().count("new") == 3


def test_a_comparison_that_cannot_be_made_is_one_message(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    crossing: list[str],
    tmp_path: Path,
) -> None:
    run(monkeypatch, capsys, "network", *crossing)
    city = str(tmp_path / "work" / "crossing")
    for arguments, message in (
        ([str(tmp_path), city], f"{tmp_path} holds no imported network (segments.parquet)"),
        ([city, city, "--out", "x.xlsx"], "--out x.xlsx: write a .parquet or a .csv file"),
        ([city, city, "network.diff_tolerance_m=0"], "diff_tolerance_m: must be at least 0.1"),
        ([city], "Missing argument 'NEW'"),
    ):
        code, _, err = run(monkeypatch, capsys, "network", "diff", *arguments)
        assert code == 2
        assert message in err


def test_a_misspelt_command_of_the_network_is_no_setting(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = run(monkeypatch, capsys, "network", "dif", "old", "new")
    assert code == 2
    assert "No such command 'dif'. Did you mean 'diff'?" in err


def test_the_help_of_network_names_both_commands(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = run(monkeypatch, capsys, "network", "--help")
    assert code == 0
    assert "Without a command it imports: `roadgraph network city=mycity`." in out
    assert re.search(r"import .*\(the default\)", out)
    assert re.search(r"diff .*carries data over", out)
    code, out, _ = run(monkeypatch, capsys, "--help")
    assert out.index("network") < out.index("slices") < out.index("train")


DEFAULTS = {
    ("network", "diff"): ["carry_over.parquet beside NEW"],
    ("compare",): ["mlp-simple,gcn-enhanced,roadnet-simple"],
    ("predict",): [
        "that of the settings model and size where they are given here, else that of --model",
        "champion",
        "the end of the newest slice",
        "predictions.parquet in the city's workspace",
    ],
    ("explain",): [
        "that of the settings model and size where they are given here, else that of --model",
        "champion",
        "the end of the newest slice",
        "30, or the nearest that the model has",
    ],
    ("report",): [
        "the newest day with forecasts, the newest that is over",
        "the issued forecasts, or those of roadgraph predict",
        "report in the city's workspace",
    ],
    ("run",): ["pipeline.catch_up_days back", "that of the newest fixes", "all"],
}
"""What the help of a command says of the defaults that are no plain values."""


@pytest.mark.parametrize("words", DEFAULTS, ids=" ".join)
def test_the_help_tells_the_defaults_that_are_no_plain_values(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    code, out, _ = run(monkeypatch, capsys, *words, "--help")
    assert code == 0
    shown = " ".join(out.replace("│", " ").split())
    found = re.findall(r"\[default: (?!controls|picture)([^]]*)\]", shown)
    assert sorted(found) == sorted(DEFAULTS[words])


def test_no_help_but_that_of_the_listed_commands_tells_a_default_in_words() -> None:
    commands: dict[tuple[str, ...], Any] = {
        (name,): command
        for name, command in get_command(cli.app).commands.items()  # type: ignore[attr-defined]
    }
    network = commands.pop(("network",))
    commands |= {("network", name): command for name, command in network.commands.items()}
    told = {
        words: sum("default: " in str(vars(parameter).get("help")) for parameter in command.params)
        for words, command in commands.items()
    }
    listed = {words: len(texts) for words, texts in DEFAULTS.items()}
    assert {words: count for words, count in told.items() if count} == listed


def test_a_folder_that_cannot_be_written_is_one_message(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    city: list[str],
    tmp_path: Path,
) -> None:
    (tmp_path / "file").write_text("", "utf-8")
    code, _, err = run(monkeypatch, capsys, "network", *city, f"workspace={tmp_path / 'file'}")
    assert code == 2
    assert "file" in err
    assert "Traceback" not in err


def test_an_error_leaves_nothing_half_written(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    city: list[str],
    tmp_path: Path,
) -> None:
    run(monkeypatch, capsys, "network", *city)
    empty = tmp_path / "empty.parquet"
    empty.write_bytes(b"")
    work = tmp_path / "city" / "work"
    before = tree_of(work)
    code, _, err = run(monkeypatch, capsys, "slices", *city, f"city.fixes={empty}")
    assert code == 2
    assert "empty.parquet" in err
    assert tree_of(work) == before
    assert leftovers_of(work) == []


def test_doctor_tells_versions_devices_and_extras(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = run(monkeypatch, capsys, "doctor")
    assert code == 0
    assert "sample: ready" in out or ".[sample]'" in out
    for fact in ("torch: ", "GPU: ", "torch-scatter: ", "sample: ", "pipelines: "):
        assert fact in out


def test_settings_lists_every_setting_with_its_value(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = run(monkeypatch, capsys, "settings", "training.max_epochs=7")
    assert code == 0
    assert "training.max_epochs=7" in out
    assert "passes over the training span at most [1 to 10000]; int" in out


def test_help_loads_nothing_heavy() -> None:
    """``roadgraph --help`` must answer at once, so nothing slow may be imported for it."""
    code = (
        "import sys, roadgraph.cli; "
        "print(sorted({name.split('.')[0] for name in sys.modules} & "
        "{'torch', 'pandas', 'numpy', 'polars', 'mlflow', 'geopandas', 'hydra', 'pydantic'}))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ast.literal_eval(out.stdout) == []


def test_the_module_can_be_run() -> None:
    out = subprocess.run(
        [sys.executable, "-m", "roadgraph", "--help"], capture_output=True, text=True, check=True
    )
    for command in (
        "network",
        "slices",
        "train",
        "compare",
        "promote",
        "track",
        "predict",
        "demo",
        "doctor",
    ):
        assert command in out.stdout


def test_compare_brings_controls_along_unless_told_otherwise(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[tuple[list[str], tuple[int, ...], bool]] = []

    def compared(
        settings: Settings, titles: list[str], seeds: tuple[int, ...], report: bool
    ) -> SimpleNamespace:
        asked.append((titles, seeds, report))
        return SimpleNamespace(compared=SimpleNamespace(failures=()), recorded=None)

    monkeypatch.setattr(model_commands, "compared", compared)
    words = ["compare", "--models", "mlp-simple, gat-simple", "evaluation.seeds=[4,5]"]
    assert run(monkeypatch, capsys, *words)[0] == 0
    assert run(monkeypatch, capsys, *words, "--no-controls", "--report")[0] == 0
    assert asked == [
        (["mlp-simple", "gat-simple", "gat-simple-self-loops"], (4, 5), False),
        (["mlp-simple", "gat-simple"], (4, 5), True),
    ]


def test_compare_ends_with_1_when_a_forecaster_failed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    failed = SimpleNamespace(compared=SimpleNamespace(failures=("gat-simple",)), recorded=None)
    monkeypatch.setattr(model_commands, "compared", lambda *asked: failed)
    assert run(monkeypatch, capsys, "compare")[0] == 1


def recorded(store: str, *left: Path) -> SimpleNamespace:
    pages = {"": "http://host:5000/#/experiments/1/runs/abc"}
    reason = "no route to host" if left else ""
    kept = Recorded(store, pages, "toy version 3", Left(left, reason))
    return SimpleNamespace(compared=SimpleNamespace(failures=()), recorded=kept)


def test_where_a_comparison_was_recorded_is_printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(model_commands, "compared", lambda *asked: recorded("sqlite:///a.db"))
    code, out, err = run(monkeypatch, capsys, "compare")
    assert code == 0
    assert "MLflow store: sqlite:///a.db" in out
    assert "mlflow ui --backend-store-uri sqlite:///a.db" in out
    assert "registered: toy version 3; `roadgraph promote`" in out
    assert "page: http://host:5000/#/experiments/1/runs/abc" in out
    assert err == ""


def test_what_was_not_sent_is_said_beside_the_results_and_is_no_failure(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(
        model_commands, "compared", lambda *asked: recorded("http://host", Path("a"))
    )
    code, out, err = run(monkeypatch, capsys, "compare")
    assert code == 0
    assert "not sent yet: 1 records (no route to host)" in err
    assert "roadgraph track --resend" in err
    assert "mlflow ui" not in out


def test_track_shows_what_waits(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    told = Tracking("http://host", 4, ("c",), ("a", "b"), {"sqlite:///old.db": 3})
    monkeypatch.setattr(workflow, "run_tracking", lambda settings: told)
    code, out, _ = run(monkeypatch, capsys, "track")
    assert code == 0
    assert "track sample: http://host has 4 runs, 2 wait to be sent, 1 are running" in out
    assert [line for line in out.splitlines() if line.startswith("  waits: ")] == [
        "  waits: a",
        "  waits: b",
    ]
    assert "  runs: c" in out
    assert "3 wait for another store, sqlite:///old.db" in out


@pytest.mark.parametrize(("left", "ends_with"), [((), 0), ((Path("a"),), 1)])
def test_resending_ends_with_1_while_something_is_left(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    left: tuple[Path, ...],
    ends_with: int,
) -> None:
    monkeypatch.setattr(
        workflow,
        "run_resend",
        lambda settings, on_sent: (2, Left(left, "timed out" if left else "")),
    )
    code, out, err = run(monkeypatch, capsys, "track", "--resend")
    assert code == ends_with
    assert "sent 2 records" in out
    assert ("timed out" in err) == bool(left)


def test_a_table_keeps_its_figures_on_a_narrow_screen(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "30")
    figures = {f"figure {number}": ["0.123", "-"] for number in range(8)}
    show_table(pd.DataFrame({"model": ["a" * 25, "b"], **figures}), "a title")
    out = capsys.readouterr().out
    assert out.count("0.123") == 8
    assert "a" * 25 in out
    assert "…" not in out


@pytest.mark.parametrize(
    ("words", "bundle", "version"),
    [
        ([], None, "champion"),
        (["--model", "challenger"], None, "challenger"),
        (["--model", "3", "training.max_epochs=2"], None, "3"),
        (["--bundle", "mine"], "mine", "champion"),
        (["--bundle", "mine", "training.max_epochs=2"], "mine", "champion"),
        (["size=enhanced"], "work/toy/bundles/gcn-enhanced", "champion"),
        (["model=gat"], "work/toy/bundles/gat-simple", "champion"),
        (["model.graph=self_loops"], "work/toy/bundles/gcn-simple-self-loops", "champion"),
    ],
)
def test_predict_takes_the_champion_unless_the_line_names_another_model(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    bundle: str | None,
    version: str,
) -> None:
    asked: list[tuple[object, ...]] = []

    def predicted(settings: Settings, *choice: object) -> prediction.Predicted:
        asked.append(choice)
        return prediction.Predicted((Path("predictions.parquet"),), "gcn-simple", None)

    monkeypatch.setattr(prediction, "run_prediction", predicted)
    line = ["predict", "city.name=toy", "workspace=work", *words]
    assert run(monkeypatch, capsys, *line)[0] == 0
    named = None if bundle is None else Path(bundle)
    assert asked == [(named, None, version, prediction.NEWEST, True, False)]


def test_predict_hands_over_time_and_data_and_tells_what_became_of_the_fixes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[object] = []
    account = SlicesReport(("a.csv",), 1200, 1190, {"duplicate": 10}, (), (), 77, None)

    def predicted(settings: Settings, *choice: object) -> prediction.Predicted:
        asked.extend(choice)
        return prediction.Predicted((Path("out.csv"),), "gcn-simple", None, account)

    monkeypatch.setattr(prediction, "run_prediction", predicted)
    code, out, _ = run(
        monkeypatch, capsys,
        "predict", "--fixes", "new", "--at", "2026-01-18T07:15", "--out", "out.csv", "--no-picture",
        "--map",
    )  # fmt: skip
    assert code == 0
    given = prediction.Given("2026-01-18T07:15", None, Path("new"))
    assert asked == [None, Path("out.csv"), "champion", given, False, True]
    assert "1,200 fixes = 1,190 used + 10 refused; 77 slices" in out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["predict", "--bundle", "b", "--model", "champion"], "--bundle and --model name a model"),
        (["predict", "size=enhanced", "--model", "2"], "--model and size=enhanced name a model"),
        (["predict", "--bundle", "b", "model=gat"], "--bundle and model=gat name a model each"),
        (
            ["explain", "--segment", "A", "--bundle", "b", "model.graph=self_loops"],
            "--bundle and model.graph=self_loops name a model each; give one of them",
        ),
        (["predict", "--slices", "a", "--fixes", "b"], "--slices and --fixes name data each"),
        (["promote", "--rollback", "--dry-run"], "--rollback decides nothing; leave --dry-run out"),
    ],
)
def test_options_that_exclude_each_other_are_refused(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    message: str,
) -> None:
    code, _, err = run(monkeypatch, capsys, *words)
    assert code == 2
    assert message in err


@pytest.mark.parametrize(("words", "dry_run"), [([], False), (["--dry-run"], True)])
def test_promote_shows_the_table_the_reasons_and_the_outcome(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    dry_run: bool,
) -> None:
    contest = contest_by_hand({"macro_f1": [0.4]}, {"macro_f1": [0.5]})
    old, new = (Version("toy", number, "run", {}) for number in "12")
    titles = {"champion": "mlp-simple", "challenger": "gcn-simple"}
    asked: list[bool] = []

    def promoted(settings: Settings, dry_run: bool) -> Promotion:
        asked.append(dry_run)
        decision = decide(contest, settings.promotion, None)
        return Promotion(old, new, titles, contest, decision, not dry_run)

    monkeypatch.setattr(workflow, "run_promotion", promoted)
    code, out, err = run(monkeypatch, capsys, "promote", *words)
    assert code == 0, err
    assert asked == [dry_run]
    assert "2026-01-05 00:00 to 2026-01-08 00:00 local time" in out
    assert re.search(r"challenger, version 2: gcn-simple +- +0\.500", out)
    assert "macro F1 0.500 of the challenger, 0.400 of the champion: better by 0.100" in out
    become = "would become champion" if dry_run else "is champion now"
    assert f"version 2 of toy {become}, in the place of version 1." in out


def test_promote_without_a_contest_shows_the_reason_and_no_table(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    old, new = (Version("toy", number, "run", {}) for number in "12")
    decision = decide_unopposed("2 segments are new (such as 'A')")
    unopposed = Promotion(old, new, {}, None, decision, carried_out=True)
    monkeypatch.setattr(workflow, "run_promotion", lambda settings, dry_run: unopposed)
    code, out, err = run(monkeypatch, capsys, "promote")
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        f"{decision.reasons[0]}.",
        "version 2 of toy is champion now, in the place of version 1.",
    ]


@pytest.mark.parametrize(
    ("reached_at", "told"),
    [
        ("", "predicted with toy version 3 (champion): gcn-simple"),
        (
            "2026-01-05T03:00:00+00:00",
            "predicted with toy version 3 (champion when the store last answered, at "
            "2026-01-05T03:00:00+00:00): gcn-simple",
        ),
    ],
)
def test_predict_says_which_version_it_was_and_whether_the_store_answered(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    reached_at: str,
    told: str,
) -> None:
    version = Version("toy", "3", "run", {})
    registered = RegisteredBundle(Path("kept"), version, "champion", reached_at)
    predicted = prediction.Predicted((Path("predictions.parquet"),), "gcn-simple", registered)
    monkeypatch.setattr(prediction, "run_prediction", lambda *asked: predicted)
    code, out, err = run(monkeypatch, capsys, "predict")
    assert (code, err) == (0, "")
    assert out.splitlines() == [told, "wrote predictions.parquet"]


def test_promote_with_rollback_says_from_which_to_which(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    versions = tuple(Version("toy", number, "run", {}) for number in "42")
    monkeypatch.setattr(workflow, "run_rollback", lambda settings: versions)
    code, out, _ = run(monkeypatch, capsys, "promote", "--rollback")
    assert code == 0
    assert "stepped back from version 4 of toy to version 2, which is champion now" in out


@pytest.mark.parametrize(
    "words",
    [["promote"], ["promote", "--rollback"], ["predict"], ["explain", "--segment", "A"]],
)
def test_without_a_registered_model_it_is_one_message_and_no_database_is_made(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    words: list[str],
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    write_network(straight_network(), tmp_path / "toy" / "network")
    code, _, err = run(monkeypatch, capsys, *words, f"workspace={tmp_path}", "city.name=toy")
    assert code == 2
    assert "no registered model 'toy'; train one: roadgraph train" in err
    assert not list(tmp_path.rglob("*.db"))


def test_the_address_of_a_webhook_is_not_listed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    address = "pipeline.alert_webhook=https://host/T0/B0/xyz"
    code, out, _ = run(monkeypatch, capsys, "settings", address)
    assert code == 0
    assert "pipeline.alert_webhook='***'" in out
    assert "xyz" not in out


def test_a_store_that_another_run_is_at_ends_with_75(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def run_network(settings: Settings) -> None:
        raise LockError("process 7 has held the store for 12 min")

    monkeypatch.setattr(workflow, "run_network", run_network)
    code, _, err = run(monkeypatch, capsys, "network", f"workspace={tmp_path}")
    assert code == 75
    assert err.endswith("error: process 7 has held the store for 12 min")


def ran(monkeypatch: pytest.MonkeyPatch, *outcomes: Outcome) -> list[Asked]:
    """Let a scheduled run come to ``outcomes``; return what is asked for."""
    asked_for: list[Asked] = []

    def run_batch(settings: Settings, asked: Asked, watch: Watch) -> RunReport:
        asked_for.append(asked)
        for outcome in outcomes:
            watch.progress("matching fixes", 1.0)
            watch.ends(outcome)
        return RunReport(outcomes)

    monkeypatch.setattr("roadgraph.batch.run.run_batch", run_batch)
    return asked_for


DAY = date(2026, 1, 5)
MADE = Outcome("slices", "2026-01-05", "made", "none yet", {"rows in": 1234})
FRESH = Outcome("network", "", "fresh", "as it was")
BROKEN = Outcome("slices", "", "failed", "a.parquet is damaged")
FEW = Check("coverage", DAY, False, "1% of the cells were observed", {})
CHECKED = Outcome("quality", "2026-01-05", "made", "none yet", {}, (FEW,))


def test_run_shows_what_was_made_and_leaves_out_what_was_fresh(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ran(monkeypatch, FRESH, MADE)
    options = ["--from", "2026-01-05", "--to", "2026-01-11", "--steps", "network,slices"]
    code, out, err = run(monkeypatch, capsys, "run", *options)
    assert code == 0, err
    assert asked == [Asked(DAY, date(2026, 1, 11), ("network", "slices"))]
    assert out.splitlines() == [
        "made: slices 2026-01-05: none yet (rows in 1,234)",
        "1 made, 0 failed, 0 checks failed",
    ]


@pytest.mark.parametrize(
    ("outcomes", "code", "told"),
    [
        ((BROKEN, MADE), 1, "failed: slices: a.parquet is damaged"),
        ((CHECKED,), 3, "check failed: coverage 2026-01-05: 1% of the cells were observed"),
        ((Outcome("slices", "", "busy", "pid 7 holds it"),), 75, "busy: slices: pid 7 holds it"),
    ],
)
def test_run_ends_with_a_code_that_says_how_it_went(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    outcomes: tuple[Outcome, ...],
    code: int,
    told: str,
) -> None:
    ran(monkeypatch, *outcomes)
    found, out, _ = run(monkeypatch, capsys, "run")
    assert found == code
    assert told in out


def test_run_refuses_options_that_make_no_sense(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = run(monkeypatch, capsys, "run", "--from", "yesterday")
    assert code == 2
    assert "--from yesterday: is no day; write it as 2026-01-05" in err


@pytest.mark.parametrize(
    ("tasks", "told"),
    [
        ([Task("model", "2026-01-05", "none yet")], "would make: model 2026-01-05: none yet"),
        ([], "nothing to do: all of it is there and as new"),
    ],
)
def test_a_dry_run_lists_what_would_be_made(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tasks: list[Task],
    told: str,
) -> None:
    monkeypatch.setattr("roadgraph.batch.plan.plan_batch", lambda *asked: tasks)
    code, out, err = run(monkeypatch, capsys, "run", "--dry-run")
    assert code == 0, err
    assert out.splitlines() == [told]


def test_report_hands_over_its_options_and_prints_files_and_notes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[tuple[object, ...]] = []

    def reported(settings: Settings, *choice: object) -> reporting.Report:
        asked.append(choice)
        return reporting.Report((Path("map.html"),), ("no scorecard: none is [over]",))

    monkeypatch.setattr(reporting, "run_report", reported)
    code, out, _ = run(monkeypatch, capsys, "report")
    assert code == 0
    assert "wrote map.html\nno scorecard: none is [over]\n" in out
    line = ["report", "--day", "2026-01-16", "--predictions", "mine.parquet", "--out", "here"]
    assert run(monkeypatch, capsys, *line)[0] == 0
    assert asked == [
        (None, None, None),
        (date(2026, 1, 16), Path("mine.parquet"), Path("here")),
    ]
    code, _, err = run(monkeypatch, capsys, "report", "--day", "yesterday")
    assert code == 2
    assert "--day yesterday: is no day; write it as 2026-01-05" in err


def test_explain_prints_its_words_and_files(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[tuple[object, ...]] = []

    def explained(settings: Settings, *choice: object) -> SimpleNamespace:
        asked.append(choice)
        return SimpleNamespace(words=("It is [slow].", "Why not."), files=(Path("a.json"),))

    monkeypatch.setattr(explanation, "run_explanation", explained)
    line = ["explain", "--segment", "A", "--at", "2026-01-18T07:15", "--horizon", "45"]
    code, out, _ = run(monkeypatch, capsys, *line)
    assert code == 0
    assert "It is [slow].\nWhy not.\nwrote a.json\n" in out
    given = prediction.Given("2026-01-18T07:15")
    run(monkeypatch, capsys, *line, "model=gat", "workspace=work", "city.name=toy")
    bundle = Path("work/toy/bundles/gat-simple")
    assert asked == [
        ("A", 45, None, "champion", given),
        ("A", 45, bundle, "champion", given),
    ]
    code, _, err = run(monkeypatch, capsys, *line, "--model", "3", "--bundle", "mine")
    assert code == 2
    assert "--bundle and --model name a model each; give one of them" in err
