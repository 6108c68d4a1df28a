"""What a Lambda is made of: code, mappings and dependencies, three assets with three hashes.

Each changes at its own pace, so a new mapping uploads kilobytes and leaves code and dependencies alone. Nothing needs
Docker: the dependencies are wheels for Lambda's Linux on arm64 that pip picks by the lock's hashes, not the build
machine's own.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from aws_cdk import aws_lambda as lambda_

from infra.deployment import ROOT

RUNTIME = lambda_.Runtime.PYTHON_3_14
PYTHON = "3.14"

# Lambda's Python 3.14 runs on Amazon Linux 2023 (glibc 2.34), so both wheel tags fit.
TARGET = (
    *("--platform", "manylinux_2_28_aarch64", "--platform", "manylinux2014_aarch64"),
    *("--implementation", "cp", "--python-version", PYTHON, "--only-binary=:all:"),
)

# `examples` are for the tests and the analyst; documentation is for people.
NOT_CODE = ("__pycache__", "*.pyc", "*.pyi", ".DS_Store")
NOT_MAPPINGS = ("examples", "*.md", ".DS_Store")

CODE_ZIP_LIMIT = 1_000_000
UNZIPPED_LIMIT = 60_000_000


class AssetTooLarge(Exception):
    """An asset broke its budget: cold starts pay for every byte."""


@dataclass(frozen=True, slots=True)
class Asset:
    """A folder that is zipped as it lies, and the hash by which AWS knows it."""

    folder: Path
    hash: str

    def code(self) -> lambda_.Code:
        """A new code object: CDK ties each to one stack."""
        return lambda_.Code.from_asset(str(self.folder), asset_hash=self.hash)


@dataclass(frozen=True, slots=True)
class Assets:
    """The three assets. `compiled` tells whether byte code is shipped with the sources."""

    code: Asset
    mappings: Asset
    dependencies: Asset
    compiled: bool


def assets(*, bundle: bool, build: Path = ROOT / "build") -> Assets:
    """The assets of this checkout. Without `bundle` they are the bare sources: enough for a template, wrong for a
    deployment, and so under other hashes, lest the CLI uploads them in place of the real ones."""
    lambdas, mappings, lock = ROOT / "lambdas", ROOT / "mappings", ROOT / "requirements" / "layer.txt"
    compiler = byte_compiler()
    mark = "" if bundle else "unbuilt"
    compiled = f"{mark}{PYTHON if compiler else ''}"
    code_hash = fingerprint(files_of(lambdas, NOT_CODE), lambdas, compiled)
    mappings_hash = fingerprint(files_of(mappings, NOT_MAPPINGS), mappings, mark)
    lock_hash = fingerprint([lock], ROOT, f"{compiled}{TARGET}")
    if bundle:
        code = built(build / f"code-{code_hash}", lambda to: build_code(lambdas, to, compiler))
        data = built(build / f"mappings-{mappings_hash}", lambda to: copy(mappings, to / "mappings", NOT_MAPPINGS))
        wheels = built(build / f"layer-{lock_hash}", lambda to: build_layer(lock, to, compiler))
        check_sizes(code, wheels)
    else:
        code, data, wheels = lambdas, mappings, lock.parent
    return Assets(
        Asset(code, code_hash), Asset(data, mappings_hash), Asset(wheels, lock_hash), compiled=compiler is not None
    )


def byte_compiler() -> str | None:
    """The interpreter that can write byte code for the runtime: only one of the same minor version can.

    Without byte code a cold start compiles what it imports, nearly three times the work: use one where you deploy.
    """
    found = shutil.which(f"python{PYTHON}")
    # A version manager's shim may be there without the version behind it.
    works = found and subprocess.run([found, "-c", ""], check=False, capture_output=True).returncode == 0
    return found if works else None


def files_of(folder: Path, without: Iterable[str]) -> list[Path]:
    """The files of a folder in a stable order, except those of which any path part matches one of `without`."""
    patterns = tuple(without)
    return [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        and not any(Path(part).match(pattern) for part in path.relative_to(folder).parts for pattern in patterns)
    ]


def fingerprint(files: Iterable[Path], root: Path, extra: str = "") -> str:
    """SHA-256 over paths and contents (not times or owners), so that every machine gets the same one."""
    digest = hashlib.sha256(extra.encode())
    for file in files:
        digest.update(f"\0{file.relative_to(root).as_posix()}\0".encode())
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def built(target: Path, build: Callable[[Path], None]) -> Path:
    """`target`, built if it is not there yet. A half-built folder never gets its name: two builds may race."""
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix="unfinished-") as scratch:
            stage = Path(scratch) / "stage"
            stage.mkdir()
            build(stage)
            try:
                stage.rename(target)
            except OSError:
                if not target.exists():
                    raise
    return target


def copy(source: Path, target: Path, without: Iterable[str]) -> None:
    """Copies a folder file by file; the target exists even if nothing is left to copy."""
    target.mkdir(parents=True, exist_ok=True)
    for file in files_of(source, without):
        to = target / file.relative_to(source)
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, to)


def build_code(source: Path, target: Path, compiler: str | None) -> None:
    """The code as it lies, with byte code next to it if that can be written."""
    copy(source, target, NOT_CODE)
    _compile(target, compiler, "/var/task")


def build_layer(lock: Path, target: Path, compiler: str | None) -> None:
    """Installs the locked wheels under `python/`, where Lambda puts a layer on the path."""
    packages = target / "python"
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--quiet",
        "--disable-pip-version-check",
        "--no-compile",
    ]
    command += ["--require-hashes", "--no-deps", "--requirement", str(lock), "--target", str(packages), *TARGET]
    subprocess.run(command, check=True)
    shutil.rmtree(packages / "bin", ignore_errors=True)
    _compile(packages, compiler, "/opt/python")


def check_sizes(code: Path, layer: Path) -> None:
    """Raises AssetTooLarge if the zipped code or code and layer unzipped are over the house's budget."""
    with tempfile.TemporaryDirectory() as scratch:
        zipped = Path(shutil.make_archive(str(Path(scratch) / "code"), "zip", code)).stat().st_size
    unzipped = size_of(code) + size_of(layer)
    if zipped > CODE_ZIP_LIMIT:
        raise AssetTooLarge(f"the zipped code has {zipped:,} bytes, more than {CODE_ZIP_LIMIT:,}")
    if unzipped > UNZIPPED_LIMIT:
        raise AssetTooLarge(f"code and layer have {unzipped:,} bytes unzipped, more than {UNZIPPED_LIMIT:,}")


def size_of(folder: Path) -> int:
    """The bytes of all files in a folder."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def _compile(folder: Path, compiler: str | None, place: str) -> None:
    # Unchecked hashes: zip files do not keep the times that the usual kind compares, and /var/task cannot change.
    if compiler:
        options = ("-q", "-s", str(folder), "-p", place, "--invalidation-mode", "unchecked-hash")
        subprocess.run([compiler, "-m", "compileall", *options, str(folder)], check=True)
