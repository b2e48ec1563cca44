"""Check a bundle of a study, with NumPy and SciPy and nothing of those who made it.

    python -I verifier.py BUNDLE.zip

1. Every file has the sha256 that manifest.json lists; every record in store/ ends with a checksum
   of itself, and the address of a task is the hash of its settings (identities.json).
2. Every row of page/results.csv is what the result of its task says, under the settings of the
   tasks behind it. Distances without their bias are taken from the features once more.
3. derivations.json says of which rows a quantity is made, and how (`work_out`). Interval, verdict,
   p-value, Holm's correction, looks and power follow by the formulas below.
4. The page prints just these verdicts and numbers, in its claims, its tables and its answer.

At the first difference it says what differs, where, what was expected and found, and ends with 1.
"""

import csv
import hashlib
import io
import json
import math
import re
import sys
import zipfile
from html.parser import HTMLParser
from typing import Any

import numpy as np
from scipy.optimize import brentq
from scipy.special import chdtr, chdtri, expit, nctdtr, ndtr, stdtr, stdtrit

ERROR, POWER, MOST_SEEDS, INF = 0.05, 0.8, 100, math.inf
LOOKS = {3: 9.47, 5: 5.04, 8: 3.53, 13: 2.85, 21: 2.54}
"""Seeds at which one looks, and the t by which intervals hold at all looks at once."""
CLOSE, OF_FEATURES = 1e-9, 1e-6  # relative; eigenvalues differ a little between libraries
NUMBER = re.compile(r"−?∞|(?<![\w.])[−-]?\d[\d,]*(?:\.\d+)?(?:e[+-]?\d+)?")


class Difference(Exception):
    """Something is not what follows from the rest of the bundle."""


def hold(what: str, where: str, expected: Any, found: Any, close: float = CLOSE) -> None:
    """Raise Difference unless two things are equal, or two numbers as good as equal."""
    same, numbers = expected == found, {type(expected), type(found)} <= {int, float}
    if not (same or (numbers and math.isclose(expected, found, rel_tol=close, abs_tol=1e-12))):
        raise Difference(f"{what}\n  where: {where}\n  expected: {expected}\n  found: {found}")


def is_printed(text: str, number: float) -> bool:
    """Whether a text is this number, rounded to the decimals that the text has."""
    shown, _, exponent = text.replace(",", "").replace("−", "-").replace("∞", "inf").partition("e")
    scale = 10.0 ** int(exponent or 0)
    unit, value = scale * 10.0 ** -len(shown.partition(".")[2]), float(shown) * scale
    return value == number or abs(value - number) <= 0.500001 * unit


# ------------------------------------------------------------------------------ files and records


def opened(path: str) -> dict[str, bytes]:
    """The files of a bundle by name, each as the manifest says."""
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        files = {name: archive.read(name) for name in names}
    listed = json.loads(files["manifest.json"])["sha256"]
    hold("the files", "manifest.json", sorted([*listed, "manifest.json"]), sorted(names))
    for name, digest in listed.items():
        hold("sha256", name, digest, hashlib.sha256(files[name]).hexdigest())
    return files


def records(files: dict[str, bytes]) -> dict[str, Any]:
    """The records of the store by path, each as its checksum says, and tasks as addressed."""
    found: dict[str, Any] = {}
    for name, raw in files.items():
        if name.startswith("store/") and name.endswith(".json"):
            body, _, said = raw.rpartition(b'\n "checksum": "')
            hold("checksum", name, hashlib.sha256(body).hexdigest(), said[:-4].decode())
            found[name.removeprefix("store/")] = json.loads(raw)
    for address, text in json.loads(files["identities.json"]).items():
        folder, digest = f"tasks/{address}", hashlib.sha256(text.encode()).hexdigest()[:16]
        found[f"{folder}/task.json"] = task = json.loads(text)
        hold("address of a task", "identities.json", f"{task['kind']}-{digest}", address)
        for name, its in found.get(f"{folder}/provenance.json", {"files": {}})["files"].items():
            if (raw := files.get(f"store/{folder}/{name}")) is not None:
                left = f"{folder}/{name}"
                hold("sha256", left, its["sha256"], hashlib.sha256(raw).hexdigest())
    return found


def at(record: Any, path: list[Any]) -> Any:
    """What stands in a record under these names; None where there is no such."""
    for part in path:
        record = record and (record.get(part) if isinstance(record, dict) else record[part])
    return record


def check_rows(rows: list[dict[str, str]], how: Any, found: Any, files: dict[str, bytes]) -> None:
    """Hold the rows of results.csv against the results and the settings that they name."""
    cells = {(cell["tasks"][role], str(cell["seed"])): cell for role, cell in how["cells"]}
    hold("number of rows", "page/results.csv", how["rows"], len(rows))
    for number, row in enumerate(rows):
        where = f"page/results.csv, row {number}: {row['metric']} of {row['address']}"
        hold("cell", where, True, (row["address"], row["seed"]) in cells)
        cell = cells[row["address"], row["seed"]]
        for name, column in how["columns"].items():
            value, (role, *path) = cell["arm"].get(name), how["settings"].get(name, [""])
            if value is not None and column in row:
                is_number = type(value) in (int, float)
                hold(name, where, value, float(row[column]) if is_number else row[column])
            if value is not None and role in cell["tasks"]:
                task = found[f"tasks/{cell['tasks'][role]}/task.json"]
                hold(name, f"{where}, in its task", at(task["config"], path), value)
        result = found.get(f"tasks/{row['address']}/result.json")
        hold("whether it is done", where, result is not None, row["state"] == "done")
        path = [row["variance"] if p == "VARIANCE" else p for p in how["values"][row["metric"]]]
        value, close = at(result, path), CLOSE
        if path == ["UNBIASED"]:
            value, close = unbiased(row["address"], found, files), OF_FEATURES
        if isinstance(value, dict) and "mean" in value:
            hold("its error", where, value["standard_error"], float(row["standard_error"]))
        if isinstance(value, dict):  # a mean, or shares that add up
            value = value["mean"] if "mean" in value else sum(value.values())
        hold("value", where, value, float(row["value"]) if row["value"] else None, close)
        for name, said in (at(result, ["recipe"]) or {}).items():
            mine = str(json.loads(row["recipe"] or "{}").get(name, said))
            hold(f"recipe: {name}", where, str(said).split(":")[-1], mine.split(":")[-1])


def unbiased(score: str, found: Any, files: dict[str, bytes]) -> float:
    """|m1 - m2|^2 + tr S1 + tr S2 - 2 tr (S1 S2)^(1/2) of features, its bias b / n taken off.

    b is found by leaving out one eighth of the n features after the other (a jackknife).
    """
    needs = found[f"tasks/{score}/task.json"]["needs"]
    both = [files[f"store/tasks/{needs[r]}/features.npz"] for r in ("generated", "reference")]
    arrays, real = (np.load(io.BytesIO(one)) for one in both)
    values, mean, covariance = arrays["features"].astype(float), real["mean"], real["covariance"]
    eigenvalues, vectors = np.linalg.eigh(covariance)
    root = (vectors * np.sqrt(eigenvalues.clip(min=0))) @ vectors.T

    def distance(sample: Any) -> float:
        own, apart = np.cov(sample, rowvar=False), ((sample.mean(axis=0) - mean) ** 2).sum()
        roots = np.sqrt(np.linalg.eigvalsh(root @ own @ root).clip(min=0)).sum()
        return float(apart + np.trace(own) + np.trace(covariance) - 2 * roots)

    whole, n = distance(values), len(values)
    parts = [np.delete(values, group, axis=0) for group in np.array_split(np.arange(n), 8)]
    return whole - float(
        np.mean([(distance(part) - whole) / (1 / len(part) - 1 / n) for part in parts]) / n
    )


# -------------------------------------------------------------------------- from rows to a quantity

EACH: dict[str, Any] = {
    "difference": lambda a, b: a - b,
    "log_ratio": lambda a, b: math.log(a) - math.log(b),
    "mean": lambda *of: math.fsum(of) / len(of),
    "least": min,
    "most": max,
    "place_of_least": lambda *of: float(min(zip(of[1::2], of[::2], strict=True))[1]),
    "times": lambda factor, a: factor * a,
    "log": math.log,
    "log_odds": lambda a, e: math.log(min(max(a, e), 1 - e)) - math.log1p(-min(max(a, e), 1 - e)),
}
"""What is worked out seed by seed."""


def work_out(made: list[Any], rows: Any, found: Any, seeds: Any = None) -> dict[int, float]:
    """A number for each seed (each of `seeds`), made of rows as the operation says."""
    name, *parts = made
    if name == "rows":
        return {s: float(rows[r]["value"]) for s, r in parts[0] if seeds is None or s in seeds}
    if name == "share_of_first_terms":  # of the bound, in the steps below this share of all
        of_rows = {s: (*terms(rows[r], found), int(rows[r]["T"])) for s, r in parts[0][1]}
        return {
            s: y[t < parts[1] * T].sum() / (y.sum() + end) for s, (t, y, end, T) in of_rows.items()
        }
    if name == "slope":  # of log value on log compute
        by_seed: dict[int, list[Any]] = {s: [] for s, _ in parts[0][1]}
        for s, r in parts[0][1]:
            by_seed[s].append([float(rows[r]["compute"]), float(rows[r]["value"])])
        return {s: float(np.polyfit(*np.log(np.array(xy)).T, 1)[0]) for s, xy in by_seed.items()}
    of = [work_out(p, rows, found, seeds) if isinstance(p, list) else p for p in parts]
    known = [one for one in of if isinstance(one, dict)]
    if name == "one_for_all":  # of images from elsewhere, which have no seed
        return dict.fromkeys(of[1], next(iter(of[0].values())))
    if name == "mean_of_known":
        some = {s: [one[s] for one in known if s in one] for s in sorted(set().union(*known))}
        return {s: math.fsum(values) / len(values) for s, values in some.items()}
    common = sorted(set.intersection(*map(set, known)))
    if name == "log_ratio_of_means":  # the log of the ratio, and each seed's part in its error
        a, b = ({s: one[s] for s in common} for one in known)
        mean_a, mean_b = (sum(one.values()) / len(one) for one in (a, b))
        return {s: math.log(mean_a / mean_b) + a[s] / mean_a - b[s] / mean_b for s in common}
    return {s: EACH[name](*(o[s] if isinstance(o, dict) else o for o in of)) for s in common}


def terms(row: Any, found: Any) -> tuple[Any, Any, float]:
    """Steps, the terms of a bound there, and the prior's."""
    bound = found[f"tasks/{row['address']}/result.json"]
    by_step = bound["variances"][row["variance"]]["by_step"]["mean"]
    return np.array(bound["timesteps"]), np.array(by_step), bound["prior"]["mean"]


# ------------------------------------------------------------------ intervals, verdicts, p-values


def with_interval(q: Any, values: list[float], t: float | None = None) -> Any:
    """A quantity with mean and 95% interval of Student's t, which end `t` standard errors away."""
    n, mean = len(values), math.fsum(values) / len(values)
    if n == 1 and q["made"][0] == "exact":
        return q | {"n": 0, "mean": mean, "from": mean, "to": mean, "error": 0.0}
    error = math.sqrt(math.fsum((v - mean) ** 2 for v in values) / (n - 1) / n) if n > 1 else INF
    half = error * float(t or stdtrit(n - 1, 1 - ERROR / 2)) if n > 1 else INF
    return q | {"n": n, "mean": mean, "from": mean - half, "to": mean + half, "error": error}


def verdict_of(claim: Any, quantities: list[Any]) -> str:
    """What the intervals of the deciding quantities say together."""
    of = [(q, q["from"], q["to"]) for q in quantities if q["decides"]]
    none = [-q["matters"] < low and high < q["matters"] for q, low, high in of]
    inside = [q["low"] < low and high < q["high"] for q, low, high in of]
    if any(none) or any(high < q["low"] or low > q["high"] for q, low, high in of):
        return "contradicted"
    if claim["missing"] or not (of or claim["untold"]):
        return "not run"
    return "supported" if all(inside) and not claim["untold"] else "inconclusive"


def by_looks(claim: Any, quantities: list[Any], rows: Any, found: Any) -> tuple[str, int]:
    """The verdict of the first look that decides, or of the last, and its seeds."""
    measured = [q for q in quantities if q["decides"] and q["n"]]
    verdict, by = "inconclusive", 0
    for look, t in LOOKS.items():
        if look > min(q["n"] for q in measured) or verdict != "inconclusive":
            break
        again = [
            with_interval(q, [*work_out(q["made"], rows, found, q["seeds"][:look]).values()], t)
            for q in measured
        ]
        exact = [q for q in quantities if not q["n"]]
        verdict, by = verdict_of(claim, [*exact, *again]), look
    return verdict, by


def p_values(q: Any) -> tuple[float, float]:
    """Of a quantity to lie inside its region, and outside of it: twice the one-sided t tests."""
    if q["n"] < 2:
        return 1.0, 1.0

    def above(border: float, side: int = 1) -> float:
        t = side * (border - q["mean"]) / max(q["error"], 1e-300)
        return float(stdtr(q["n"] - 1, t))

    outside, w = min(above(q["low"], -1), above(q["high"])), q["matters"]
    outside = min(outside, max(above(-w), above(w, -1))) if w else outside
    return min(1.0, 2 * max(above(q["low"]), above(q["high"], -1))), min(1.0, 2 * outside)


def holm(claims: list[Any]) -> None:
    """Give claims their p-value, and Holm's (1979) among them; NaN for those that nothing decides.

    A claim is contradicted by any of its quantities, so that p counts as often as there are some.
    """
    for claim in claims:
        of = [q for q in claim["quantities"] if q["decides"] and q["n"]]
        inside, outside = max((p_values(q)[0] for q in of), default=INF), min((p_values(q)[1] for q in of), default=INF)
        ...
