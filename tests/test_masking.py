import pytest
from hypothesis import given
from hypothesis import strategies as st

from roadgraph.config import all_settings
from roadgraph.masking import (
    MASK,
    is_secret_name,
    masked_settings,
    portable_settings,
    without_secrets,
)


@pytest.mark.parametrize(
    "name",
    [
        "password", "db_password", "dbPassword", "fs.s3a.secret.key", "fs.s3a.access.key",
        "spark.hadoop.fs.azure.account.key.mine", "apiKey", "api_key", "MLFLOW_TRACKING_TOKEN",
        "credentials", "fs.s3a.encryption.key", "spark.x.secretkey", "userpassword", "db.pass",
        "pipeline.alert_webhook", "ROADGRAPH_ALERT_WEBHOOK",
    ],
)  # fmt: skip
def test_names_of_credentials_are_known(name: str) -> None:
    assert is_secret_name(name)


@pytest.mark.parametrize("name", ["key", "segment_key", "author", "tokenizer", "passes", "signal"])
def test_other_names_are_not(name: str) -> None:
    assert not is_secret_name(name)


def test_of_our_settings_the_webhook_alone_is_a_credential() -> None:
    secret = [row.key for row in all_settings() if is_secret_name(row.key)]
    assert secret == ["pipeline.alert_webhook"]


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("postgresql://ann:s3:cr@et@db/mlflow", "postgresql://ann:***@db/mlflow"),
        ("https://:token@host:5000/x", "https://:***@host:5000/x"),
        ("http://host:5000/a@b", "http://host:5000/a@b"),
        ("sqlite:///data/work/mlflow.db", "sqlite:///data/work/mlflow.db"),
        ("s3://b/x?sig=abc&size=3", "s3://b/x?sig=***&size=3"),
        ("host=db password=abc; user=x", "host=db password=***; user=x"),
        ('password="a b" x="c d"', 'password=*** x="c d"'),
        ('{"password": "a", "host": "b"}', '{"password": ***, "host": "b"}'),
        ("Authorization: Bearer abc.def", "Authorization: *** ***"),
        ("https://TOKEN@host/x", "https://***@host/x"),
        ("postgresql://ann@db/mlflow", "postgresql://ann@db/mlflow"),
        ("12:30: all is well, http://host:5000/path", "12:30: all is well, http://host:5000/path"),
    ],
)
def test_passwords_in_texts_are_masked(text: str, masked: str) -> None:
    assert without_secrets(text) == masked


def test_settings_are_masked_at_every_depth() -> None:
    content = {
        "spark": {"options": {"fs.s3a.secret.key": "abc", "spark.cores.max": 4}},
        "tracking": {"uri": "http://a:b@c/"},
        "tokens": ["x"],
        "token": ["x", "y"],
        "password": "",
        "pipeline": {"alert_webhook": "https://host/T0/B0/xyz"},
    }
    assert masked_settings(content) == {
        "spark": {"options": {"fs.s3a.secret.key": MASK, "spark.cores.max": 4}},
        "tracking": {"uri": "http://a:***@c/"},
        "tokens": ["x"],
        "token": [MASK, MASK],
        "password": "",
        "pipeline": {"alert_webhook": MASK},
    }
    assert content["spark"] == {"options": {"fs.s3a.secret.key": "abc", "spark.cores.max": 4}}


@given(st.text(st.characters(exclude_characters="@/: \t\n\r", categories=["L", "N"]), min_size=1))
def test_no_password_of_an_address_survives(password: str) -> None:
    masked = masked_settings({"uri": f"postgresql://ann:!{password}!@db/mlflow"})
    assert masked == {"uri": "postgresql://ann:***@db/mlflow"}


def test_absolute_paths_keep_their_name_alone() -> None:
    content = {"a": "/home/ann/roads.osm", "b": "data/x.csv", "c": ["C:\\Users\\ann\\f.csv", 3]}
    assert portable_settings(content) == {"a": "roads.osm", "b": "data/x.csv", "c": ["f.csv", 3]}


@pytest.mark.parametrize(
    ("text", "portable"),
    [
        ("file:///home/ann/x.jar", "x.jar"),
        ("-Dlog=/home/ann/log -Xmx4g", "-Dlog=log -Xmx4g"),
        ("/home/ann/a.jar,/home/ann/b.jar", "a.jar,b.jar"),
        ("http://host:5000/a/b", "http://host:5000/a/b"),
        ("s3a://bucket/a/b", "s3a://bucket/a/b"),
        ("Asia/Bangkok", "Asia/Bangkok"),
        ("%d/%m/%Y %H:%M", "%d/%m/%Y %H:%M"),
        ("../shared/data/los_loop", "../shared/data/los_loop"),
    ],
)
def test_absolute_paths_inside_texts_keep_their_name_alone(text: str, portable: str) -> None:
    assert portable_settings({"x": text}) == {"x": portable}
