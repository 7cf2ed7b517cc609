"""Keep the results of finished runs: ``python -m analysis.record sentiment/sst2_phrases FOLDER...``.

Every ``result.json`` with status ok under the folders is copied to ``analysis/results/<table>/<cell>-seed<N>.json``;
``--row NAME`` names the row otherwise than by its cell.
"""

import argparse
import json
import sys
from pathlib import Path

from data.writing import write_json

RESULTS = Path(__file__).parent / "results"


def record(table: str, folders: list[Path], row: str | None) -> int:
    """Copy, and say what was; the number of results kept."""
    kept = 0
    for path in sorted(path for folder in folders for path in folder.rglob("result.json")):
        result = json.loads(path.read_text(encoding="utf-8"))
        if result["status"] != "ok":
            print(f"{path}: {result['status']}, left out: {result.get('reason')}")
            continue
        target = RESULTS / table / f"{row or result['cell']}-seed{result['seed']}.json"
        target.parent.mkdir(parents=True, exist_ok=True)
        write_json(target, result)
        print(f"{path} -> {target}")
        kept += 1
    return kept


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", help="<task>/<table>")
    parser.add_argument("folders", nargs="+", type=Path, help="runs and sweeps, looked through to the bottom")
    parser.add_argument("--row", help="the name of the row, in place of the cell")
    arguments = parser.parse_args()
    sys.exit(0 if record(arguments.table, arguments.folders, arguments.row) else "No finished run was found.")
