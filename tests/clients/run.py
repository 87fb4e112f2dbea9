"""Runs every scenario: each public function of these modules is one. `run.py NAME` runs those whose name has it."""

import inspect
import sys
import traceback

import dependencies
import grants
import identities
import pages
import refusals
import vaults

MODULES = [identities, grants, vaults, dependencies, pages, refusals]


def scenarios():
    for module in MODULES:
        for name, function in inspect.getmembers(module, inspect.isfunction):
            if function.__module__ == module.__name__ and not name.startswith("_"):
                yield f"{module.__name__}.{name}", function


def main():
    wanted = sys.argv[1] if len(sys.argv) > 1 else ""
    chosen = [(name, function) for name, function in scenarios() if wanted in name]
    failed = 0
    for name, function in chosen:
        try:
            function()
            print(f"ok      {name}")
        except Exception:
            failed += 1
            print(f"FAILED  {name}")
            traceback.print_exc()
    print(f"{len(chosen) - failed} of {len(chosen)} scenarios")
    return 1 if failed or not chosen else 0


if __name__ == "__main__":
    sys.exit(main())
