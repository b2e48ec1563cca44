"""Check a bundle of a study, with NumPy and SciPy alone: python -I verifier.py BUNDLE.zip

1. Every file has the sha256 that manifest.json lists, every record in store/ ends with a checksum,
   and the address of a task is the hash of its settings (identities.json).
2. Each row of page/results.csv is what the results and settings of its tasks, or features, say.
3. derivations.json says of which rows a quantity is made. Intervals, verdicts, p-values, Holm's
   correction and looks follow by the formulas below, and the page prints just these.
At the first difference it says what differs, where, what was expected and found, and ends with 1.
"""

import csv
import hashlib
import html
import io
import json
import math
import re
import sys
import zipfile
from typing import Any

import numpy as np
from scipy.special import expit, stdtr, stdtrit

SPENT = {n: math.log1p((math.e - 1) * n / 21) for n in (3, 5, 8, 13, 21)}  # of 5%, by looks
CLOSE, OF_FEATURES = 1e-9, 1e-6  # relative; eigenvalues differ a little between libraries
NUMBER = re.compile(r"−?∞|(?<![\w.])[−-]?\d[\d,]*(?:\.\d+)?(?:e[+-]?\d+)?")


def hold(what: str, where: str, expected: Any, found: Any, close: float = CLOSE) -> None:
    """End the program unless two things are equal, or two numbers as good as equal."""
    same, numbers = expected == found, {type(expected), type(found)} <= {int, float}
    if not (same or (numbers and math.isclose(expected, found, rel_tol=close, abs_tol=1e-12))):
        sys.exit(f"DIFFERS: {what}\n  where: {where}\n  expected: {expected}\n  found: {found}")


def is_printed(number: float, text: str) -> bool:
    """Whether a text is this number, rounded to the decimals that the text has."""
    shown, _, exponent = text.replace(",", "").replace("−", "-").replace("∞", "inf").partition("e")
    unit = 10.0 ** (int(exponent or 0) - len(shown.partition(".")[2]))
    value = float(f"{shown}e{exponent}" if exponent else shown)
    return value == number or abs(value - number) <= 0.5 * unit + CLOSE * abs(number)


def at(record: Any, path: list[Any]) -> Any:
    """What stands in a record under these names; None where there is no such."""
    for part in path:
        record = record[part] if isinstance(record, list) else getattr(record, "get", {}.get)(part)
    return record


def unbiased(ours: Any, real: Any) -> float:
    """|m1 - m2|^2 + tr S1 + tr S2 - 2 tr (S1 S2)^(1/2), less its bias b / n: b by a jackknife."""
    features, n = ours["features"].astype(float), len(ours["features"])
    eigenvalues, vectors = np.linalg.eigh(real["covariance"])
    root = (vectors * np.sqrt(eigenvalues.clip(min=0))) @ vectors.T

    def distance(sample: Any) -> float:
        own, apart = np.cov(sample, rowvar=False), ((sample.mean(axis=0) - real["mean"]) ** 2).sum()
        roots = np.sqrt(np.linalg.eigvalsh(root @ own @ root).clip(min=0)).sum()
        return float(apart + np.trace(own) + eigenvalues.sum() - 2 * roots)

    whole, eighths = distance(features), np.array_split(np.arange(n), 8)
    parts = [np.delete(features, eighth, axis=0) for eighth in eighths]
    slopes = [(distance(part) - whole) / (1 / len(part) - 1 / n) for part in parts]
    return whole - float(np.mean(slopes)) / n


EACH: dict[str, Any] = {
    "difference": lambda a, b: a - b,
    "log_ratio": lambda a, b: math.log(a / b),
    "mean": lambda *of: math.fsum(of) / len(of),
    "place_of_least": lambda *of: float(min(zip(of[1::2], of[::2], strict=True))[1]),
    "times": lambda factor, a: factor * a,
    "log_odds": lambda a, e: math.log((held := min(max(a, e), 1 - e)) / (1 - held)),
    "slope": lambda *xy: float(np.polyfit(np.log(xy[::2]), np.log(xy[1::2]), 1)[0]),
    "share_of_first": lambda terms, prior, n: sum(terms[:n]) / (sum(terms) + prior),
    "log_ratio_of_terms": lambda a, b, i, j: EACH["mean"](
        *(math.log(x / y) for x, y in zip(a[i:j], b[i:j], strict=True) if min(x, y) > 0)
    ),
    "level": lambda y, i, T: T * np.mean([v for v in y[i:] if v is not None]),
    "noise": lambda y, i, T: T * np.diff([v for v in y[i:] if v is not None]).std(ddof=1) / 2**0.5,
}
EACH |= {"least": min, "most": max, "log": math.log}  # of each seed: numbers, or terms, or losses


def with_interval(q: Any, by_seed: dict[int, float], share: float = 1.0) -> Any:
    """A quantity with its mean and Student's interval, that errs in this share of 5%."""
    values, n = by_seed.values(), len(by_seed)
    mean = math.fsum(values) / n
    error = math.sqrt(math.fsum((v - mean) ** 2 for v in values) / max(n - 1, 1) / n)
    exact = q["made"][0] == "exact"
    half = 0.0 if exact else math.inf if n < 2 else error * stdtrit(n - 1, 1 - 0.025 * share)
    more = {"n": 0 if exact else n, "error": error, "seeds": set(by_seed)}
    return q | {"mean": mean, "from": mean - half, "to": mean + half} | more


def verdict_of(claim: Any, quantities: list[Any]) -> str:
    """What the intervals of the deciding quantities say together."""
    of = [(q, q["from"], q["to"]) for q in quantities if q["decides"]]
    none = any(-q["matters"] < low and high < q["matters"] for q, low, high in of)
    if none or any(high < q["low"] or low > q["high"] for q, low, high in of):
        return "contradicted"
    if claim["missing"] or not (of or claim["untold"]):
        return "not run"
    inside = all(q["low"] < low and high < q["high"] for q, low, high in of)
    return "supported" if inside and not claim["untold"] else "inconclusive"


def p_values(q: Any) -> tuple[float, float]:
    """Of a quantity to lie inside its region, and outside of it: twice the one-sided t tests."""

    def above(border: float, side: int = 1) -> float:
        t = side * (border - q["mean"]) / max(q["error"], 1e-300)
        return float(stdtr(q["n"] - 1, t)) if q["n"] > 1 else 0.5

    none = max(above(-q["matters"]), above(q["matters"], -1)) if q["matters"] else 1.0
    outside = min(above(q["low"], -1), above(q["high"]), none)
    return min(1.0, 2 * max(above(q["low"]), above(q["high"], -1))), min(1.0, 2 * outside)


def holm(claims: list[Any]) -> None:
    """Give measured claims p, and Holm's (1979) among them; what any of n contradicts counts n."""
    tested, most = list[Any](), 0.0
    for claim in claims:
        of = [p_values(q) for q in claim["seen"] if q["decides"] and q["n"]]
        is_open, no = (claim["verdict"] == word for word in ("inconclusive", "contradicted"))
        if of and claim["verdict"] != "not run" and not (is_open and claim["untold"]):
            inside, outside = max(p for p, _ in of), min(p for _, p in of)
            p = min(inside, outside) if is_open else outside if no else inside
            claim["p"] = min(1.0, p / claim["share"]) if claim["share"] else 1.0
            tested.append((claim["p"] * (len(of) if no else 1), claim))
    for place, (p, claim) in enumerate(sorted(tested, key=lambda one: one[0])):
        claim["among"] = most = min(1.0, max(most, (len(tested) - place) * p))


def text_of(page: str) -> str:
    """What a page says besides its drawings, the full value of each number before it."""
    page = re.sub(r"(?s)<(svg|style|script|head)\b.*?</\1>", " ", page)
    page = re.sub(r"</?(i|sub|math|mover|mi|mo|/data)\b[^>]*>", "", page)
    page = re.sub(r'<data value="([^"]*)">', r"\1 ", page)
    return " ".join(html.unescape(re.sub("<[^>]*>", " ", page)).split())


class Bundle:
    """The files of a bundle, its records by path, the rows of its results, and how all is made."""

    def __init__(self, archive: Any) -> None:
        """Read it, and hold files, records and addresses against their hashes."""
        with zipfile.ZipFile(archive) as opened:
            self.files = {name: opened.read(name) for name in opened.namelist()}
        listed = json.loads(self.files["manifest.json"])["sha256"]
        hold("the files", "manifest.json", {*listed, "manifest.json"}, {*self.files})
        for name, digest in listed.items():
            hold("sha256", name, digest, hashlib.sha256(self.files[name]).hexdigest())
        self.records, self.tasks = dict[str, Any](), dict[str, Any]()
        for name in (n for n in self.files if n.startswith("store/") and n.endswith(".json")):
            body, _, said = self.files[name].rpartition(b'\n "checksum": "')
            hold("checksum", name, hashlib.sha256(body).hexdigest(), said[:-4].decode())
            self.records[name.removeprefix("store/")] = json.loads(self.files[name])
        for address, text in json.loads(self.files["identities.json"]).items():
            self.tasks[address] = task = json.loads(text)
            hashed = f"{task['kind']}-{hashlib.sha256(text.encode()).hexdigest()[:16]}"
            hold("address of a task", "identities.json", hashed, address)
            made = self.records.get(f"tasks/{address}/provenance.json", {"files": {}})
            for name, its in made["files"].items():
                if (raw := self.files.get(where := f"store/tasks/{address}/{name}")) is not None:
                    hold("sha256", where, its["sha256"], hashlib.sha256(raw).hexdigest())
        self.how = json.loads(self.files["derivations.json"])
        self.rows = list(csv.DictReader(io.StringIO(self.files["page/results.csv"].decode())))

    def check_rows(self) -> None:
        """Hold the rows of the results against the results of tasks and the settings behind."""
        hold("number of rows", "page/results.csv", self.how["rows"], len(self.rows))
        for number, row in enumerate(self.rows):
            where = f"page/results.csv, row {number}: {row['metric']} of {row['address']}"
            for column, (needs, path) in self.how["settings"][row["evaluation"]].items():
                task = self.tasks[row["address"]]
                for need in needs:
                    task = self.tasks[task["needs"][need]]
                if (setting := at(task["config"], path)) is not None:
                    is_number = type(setting) in (int, float)
                    hold(column, where, setting, float(row[column]) if is_number else row[column])
            result = self.records.get(f"tasks/{row['address']}/result.json")
            hold("whether it is done", where, bool(result), row["state"] == "done")
            path = [row["variance"] if p == "Σ" else p for p in self.how["values"][row["metric"]]]
            value = at(result, path)
            if not path:
                needs = self.tasks[row["address"]]["needs"]
                both = (f"store/tasks/{needs[r]}/features.npz" for r in ("generated", "reference"))
                value = unbiased(*(np.load(io.BytesIO(self.files[name])) for name in both))
            value = sum(value.values()) if isinstance(value, dict) else value
            error = at(result, [*path[:-1], "standard_error"]) if path[-1:] == ["mean"] else None
            close = CLOSE if path else OF_FEATURES
            for name, expected in (("value", value), ("standard_error", error)):
                hold(name, where, expected, float(row[name]) if row[name] else None, close)

    def work_out(self, made: list[Any]) -> dict[int, Any]:
        """A number for each seed, made of rows or results as it says."""
        name, *parts = made
        if name in ("exact", "given", "rows"):
            return {s: float(self.rows[o]["value"]) if name == "rows" else o for s, o in parts[0]}
        if name == "results":
            return {s: at(self.records[f"tasks/{a}/result.json"], path) for s, a, path in parts[0]}
        of = [self.work_out(p) if isinstance(p, list) else p for p in parts]
        by_seed = [one for one in of if isinstance(one, dict)]
        if name == "one_for_all":  # of images from elsewhere, which have no seed
            return dict.fromkeys(of[1], next(iter(of[0].values())))
        if name == "mean_of_known":
            every = sorted(set().union(*by_seed))
            return {s: EACH["mean"](*(one[s] for one in by_seed if s in one)) for s in every}
        common = sorted(set.intersection(*map(set, by_seed)))
        if name == "log_ratio_of_means":  # the log of the ratio, and each seed's part in its error
            a, b = ({s: one[s] for s in common} for one in by_seed)
            mean_a, mean_b = (sum(one.values()) / len(one) for one in (a, b))
            return {s: math.log(mean_a / mean_b) + a[s] / mean_a - b[s] / mean_b for s in common}
        return {s: EACH[name](*(o[s] if isinstance(o, dict) else o for o in of)) for s in common}

    def measure(self, found: Any, share: float = 1.0) -> list[Any]:
        """The quantities of a claim, or of a look at it, with intervals that err in this share."""
        return [with_interval(q, self.work_out(q["made"]), share) for q in found["quantities"]]

    def judge(self) -> None:
        """Give claims their quantities with intervals, their verdicts and p-values."""
        for claim in self.how["claims"]:
            of = self.measure(claim)
            claim |= {"quantities": of, "verdict": verdict_of(claim, of), "share": 1.0, "seen": of}
            seeds = [q["seeds"] for q in of if q["is_asked"] and q["n"]]
            if self.how["by_looks"] and claim["verdict"] != "not run" and seeds:
                self.look(claim, len(set.intersection(*seeds)))
        holm(self.how["claims"])

    def look(self, claim: Any, most: int) -> None:
        """Give a claim the verdict of the first look that decides it, its share, what it saw."""
        claim |= {"verdict": "inconclusive", "share": 0.0}
        spent, looks = 0.0, [*claim["looks"]]
        for n, whole in SPENT.items():
            if n <= most and claim["verdict"] == "inconclusive":
                at, share, spent = looks.pop(0), whole - spent, whole
                seen = self.measure(at)
                by = verdict_of(at, self.measure(at, share)).replace("not run", "inconclusive")
                counts = {q["n"] for q in seen if q["decides"] and q["n"]}
                hold("numbers of seeds at a look", claim["says"], {n}, counts | {n})
                claim |= {"verdict": by, "share": share, "seen": seen}

    def numbers(self) -> dict[str, float]:
        """Every number that follows, by the name by which derivations.json says where it stands."""
        found: dict[str, float] = {}
        for c, claim in enumerate(self.how["claims"]):
            found |= {f"{c} {part}": claim[part] for part in ("p", "among") if part in claim}
            for i, q in enumerate(claim["quantities"]):
                for part in ("mean", "from", "to", "low", "high"):
                    number = float((expit if q["unit"] == "log odds" else float)(q[part]))
                    found |= {f"{c}.{i} {part}": number, f"{c}.{i} {part}%": 100 * number}
                found[f"{c}.{i} n"] = q["n"]
        for name, (scale, made) in self.how["others"].items():  # of tables and of the answer
            values, show = self.work_out(made), np.exp if scale == "exp" else float
            q = with_interval({"made": made}, values)
            of = values | {end: q[end] for end in ("mean", "from", "to")}
            found |= {f"{name} {part}": float(show(value)) for part, value in of.items()}
            found |= {f"{name} {part} size": abs(float(show(value))) for part, value in of.items()}
            found |= {f"{name} half": q["to"] - q["mean"], f"{name} n": q["n"]}
        return found

    def check_printed(self, found: dict[str, float]) -> None:
        """Hold the texts of the page, and the numbers in them, against these."""
        where, start = "page/index.html", 0
        page = text_of(self.files[where].decode())
        for claim in self.how["claims"]:
            said = f"{claim['says']} {claim['verdict']}{' so far' * claim['so_far']}"
            hold("verdict", where, said, said if said in page else "no such")
        for text, names in self.how["printed"]:
            place, shown = page.find(text, start), NUMBER.findall(text)
            hold("a text", where, text, text if place >= 0 else page[start : start + 300])
            hold("how many numbers", f"{where}: {text}", len(names), len(shown))
            for name, one in zip(names, shown, strict=True):
                if name and not is_printed(found[name], one):
                    hold(name, f"{where}: {text}", found[name], one)
            start = place + len(text)


def verified(archive: Any) -> Bundle:
    """A bundle that holds; ends the program at what does not."""
    try:
        bundle = Bundle(archive)
        bundle.check_rows()
        bundle.judge()
        bundle.check_printed(bundle.numbers())
        return bundle
    except Exception as error:
        sys.exit(f"DIFFERS: the bundle is not whole\n  found: {error!r}")


if __name__ == "__main__":
    for one in (checked := verified(sys.argv[1])).how["claims"]:
        print(f"{one['verdict']}: {one['says']}")
        for quantity in one["quantities"]:
            print("  {mean:.5g} ({from:.5g} to {to:.5g}), n = {n}: {what}".format(**quantity))
    print(f"{len(checked.rows)} rows, and all that the page says of them, follow. Not recomputed:")
    print("", *checked.how["not_recomputed"], sep="\n  ")
