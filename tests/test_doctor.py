import pytest

from roadgraph import doctor


def test_versions_are_those_installed_and_missing_ones_are_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    installed = doctor._installed
    monkeypatch.setattr(
        doctor, "_installed", lambda name: None if name == "polars" else installed(name)
    )
    versions = doctor.examine()["versions"]
    assert versions["polars"] == "missing"
    assert versions["torch"].startswith("2.")


def test_a_missing_extra_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_installed", lambda name: None)
    extras = doctor.examine()["extras"]
    expected = "missing eclipse-sumo: pip install -c requirements.lock '.[sample]'"
    assert extras["sample"] == expected
    assert extras["spark"] == "missing pyspark: pip install -c requirements.lock '.[spark]'"
    assert set(extras) == {
        "scatter", "pipelines", "pages", "sample", "screenshots", "gpu", "dev", "spark",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("found", "expected"), [("17.0.15", "17.0.15"), (None, "missing (engine=spark alone needs it)")]
)
def test_java_is_shown_or_what_to_install(
    monkeypatch: pytest.MonkeyPatch, found: str | None, expected: str
) -> None:
    monkeypatch.setattr(doctor, "java_version", lambda: found)
    java = doctor.examine()["versions"]["java"]
    assert java.startswith(expected)
    assert ("openjdk-17-jre-headless" in java) == (found is None)


@pytest.mark.parametrize(
    ("compiler", "expected"), [(None, "needs a C++ compiler"), ("/usr/bin/g++", "make setup again")]
)
def test_missing_torch_scatter_is_explained(
    monkeypatch: pytest.MonkeyPatch, compiler: str | None, expected: str
) -> None:
    monkeypatch.setattr(doctor, "_installed", lambda name: None)
    monkeypatch.setattr("shutil.which", lambda name: compiler)
    assert expected in doctor.examine()["devices"]["torch-scatter"]
