"""Checks what a built wheel holds: modules, licences, and the libraries the modules ask for."""

import argparse
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

SYSTEM = {
    "libc.so.6",
    "libcrypto.so.3",
    "libgcc_s.so.1",
    "libm.so.6",
    "libssl.so.3",
    "libstdc++.so.6",
    "ld-linux-x86-64.so.2",
    "ld-linux-aarch64.so.1",
}
TORCH = {"libtorch.so", "libtorch_cpu.so", "libc10.so"}


def dynamic(library: Path, tag: str) -> set[str]:
    """Values of a dynamic tag, such as NEEDED, in a shared object."""
    command = ["readelf", "--dynamic", "--wide", str(library)]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    return {line.split("[")[1].rstrip("]") for line in lines if f"({tag})" in line}


def faults(folder: Path, with_torch: bool) -> list[str]:
    modules = {path.name.split(".")[0]: path for path in folder.glob("vcache/*.so")}
    expected = {"_core", "_torch"} if with_torch else {"_core"}
    found = []
    if set(modules) != expected:
        found.append(f"extension modules: {sorted(modules)}, expected {sorted(expected)}")
    for name, path in modules.items():
        allowed = SYSTEM | TORCH if name == "_torch" else SYSTEM
        if extra := dynamic(path, "NEEDED") - allowed:
            found.append(f"{name} asks for {sorted(extra)}")
        run_path = {"$ORIGIN/../torch/lib"} if name == "_torch" else set()
        if (actual := dynamic(path, "RUNPATH") | dynamic(path, "RPATH")) != run_path:
            found.append(f"{name} has the run path {sorted(actual)}, expected {sorted(run_path)}")
    for pattern in (
        "*/licenses/LICENSE",
        "*/licenses/hiredis/COPYING",
        "vcache/py.typed",
        "vcache/_core.pyi",
        "vcache/ml/default_model.bin",
    ):
        if not list(folder.glob(pattern)):
            found.append(f"{pattern} is not there")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("wheel", type=Path)
    parser.add_argument("--without-torch", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(arguments.wheel) as wheel:
        wheel.extractall(folder)
        found = faults(Path(folder), not arguments.without_torch)
    for fault in found:
        print(f"{arguments.wheel.name}: {fault}")
    if not found:
        print(f"{arguments.wheel.name}: as it should be")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
