"""Three assets with three hashes, within their budgets, the same from the same sources."""

from __future__ import annotations

import re
import shutil

import pytest

from infra import assets
from infra.deployment import ROOT


@pytest.fixture
def mappings(tmp_path):
    folder = tmp_path / "mappings"
    (folder / "ehrs" / "some" / "examples").mkdir(parents=True)
    (folder / "ehrs" / "some" / "ehr.toml").write_text("title = 'Some'\n")
    (folder / "ehrs" / "some" / "examples" / "a01.hl7").write_text("MSH|")
    (folder / "README.md").write_text("read me")
    return folder


def _hash(folder):
    return assets.fingerprint(assets.files_of(folder, assets.NOT_MAPPINGS), folder)


def test_an_example_or_a_readme_does_not_change_the_mappings(mappings):
    before = _hash(mappings)
    (mappings / "ehrs" / "some" / "examples" / "a01.hl7").write_text("MSH|^~\\&")
    (mappings / "README.md").write_text("read this")
    assert _hash(mappings) == before


def test_a_template_changes_the_mappings(mappings):
    before = _hash(mappings)
    (mappings / "ehrs" / "some" / "ehr.toml").write_text("title = 'Other'\n")
    assert _hash(mappings) != before


def test_moving_a_file_changes_the_hash_though_no_byte_did(mappings):
    before = _hash(mappings)
    (mappings / "ehrs" / "some").rename(mappings / "ehrs" / "other")
    assert _hash(mappings) != before


def test_the_mappings_are_mounted_at_opt_mappings_without_examples(mappings, tmp_path):
    assets.copy(mappings, tmp_path / "layer" / "mappings", assets.NOT_MAPPINGS)
    files = [path.relative_to(tmp_path / "layer").as_posix() for path in (tmp_path / "layer").rglob("*.*")]
    assert files == ["mappings/ehrs/some/ehr.toml"]


def test_the_code_has_no_byte_code_of_the_build_machine(tmp_path):
    assets.build_code(ROOT / "lambdas", tmp_path / "code", compiler=None)
    assert (tmp_path / "code" / "handlers" / "ingest.py").exists()
    assert list((tmp_path / "code").rglob("*.pyc")) == []


def test_byte_code_is_next_to_its_source_and_needs_no_time_stamp(tmp_path):
    """Compiled with whatever Python runs here: the runtime's own need not be installed to show how it is done."""
    source = tmp_path / "source"
    source.mkdir()
    (source / "module.py").write_text("x = 1\n")
    assets.build_code(source, tmp_path / "code", compiler=shutil.which("python3"))
    (compiled,) = (tmp_path / "code" / "__pycache__").glob("module.*.pyc")
    # PEP 552: flag word 0b01 is "hash-based, unchecked".
    assert int.from_bytes(compiled.read_bytes()[4:8], "little") == 0b01


def test_our_code_zipped_is_less_than_a_megabyte(tmp_path):
    assets.copy(ROOT / "lambdas", tmp_path / "code", assets.NOT_CODE)
    zipped = shutil.make_archive(str(tmp_path / "code"), "zip", tmp_path / "code")
    assert (tmp_path / "code.zip").stat().st_size < assets.CODE_ZIP_LIMIT, zipped


def test_an_asset_over_its_budget_stops_the_build(tmp_path, monkeypatch):
    code, layer = tmp_path / "code", tmp_path / "layer"
    for folder in (code, layer):
        folder.mkdir()
        (folder / "file").write_bytes(b"0" * 1000)
    assets.check_sizes(code, layer)
    monkeypatch.setattr(assets, "UNZIPPED_LIMIT", 1999)
    with pytest.raises(assets.AssetTooLarge, match="2,000 bytes unzipped"):
        assets.check_sizes(code, layer)
    monkeypatch.setattr(assets, "CODE_ZIP_LIMIT", 10)
    with pytest.raises(assets.AssetTooLarge, match="zipped code"):
        assets.check_sizes(code, layer)


def test_a_build_that_fails_leaves_nothing_that_looks_built(tmp_path):
    def fails(stage):
        (stage / "half").write_text("done")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        assets.built(tmp_path / "build" / "layer", fails)
    assert list((tmp_path / "build").iterdir()) == []


def test_what_is_built_is_not_built_again(tmp_path):
    target = tmp_path / "layer"
    assets.built(target, lambda stage: (stage / "first").touch())
    assets.built(target, lambda stage: (stage / "second").touch())
    assert [path.name for path in target.iterdir()] == ["first"]


def test_what_is_not_built_has_a_hash_of_its_own(tmp_path, monkeypatch):
    """Else the CLI would take a bare folder in cdk.out for the layer, and upload it."""
    monkeypatch.setattr(assets, "build_layer", lambda lock, to, compiler: (to / "python").mkdir())
    real, bare = assets.assets(bundle=True, build=tmp_path), assets.assets(bundle=False, build=tmp_path)
    assert not {real.code.hash, real.mappings.hash, real.dependencies.hash} & {
        bare.code.hash,
        bare.mappings.hash,
        bare.dependencies.hash,
    }


def test_the_layer_is_locked_by_hash_and_leaves_boto3_to_the_runtime():
    lock = (ROOT / "requirements" / "layer.txt").read_text(encoding="utf-8")
    pinned = re.findall(r"^([a-z0-9-]+)==\S+ (?:;[^\\]*)?\\\n    --hash=sha256:", lock, flags=re.MULTILINE)
    named = re.findall(r"^([a-z0-9-]+)\b", lock, flags=re.MULTILINE)
    assert pinned == named
    assert "aws-lambda-powertools" in pinned
    assert not {"boto3", "botocore"} & set(pinned)
