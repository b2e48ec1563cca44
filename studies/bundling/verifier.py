"""Check a bundle of a study, with NumPy and SciPy alone: python -I verifier.py BUNDLE.zip

1. Files have the hashes of manifest.json, records end with theirs, and addresses hash settings.
2. Rows of page/results.csv and half_trained.csv are what results, settings and features say.
3. Numbers of the page and its tables follow from these by derivations.json and formulas below.
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
from operator import getitem, mul, sub, truediv
from typing import Any

import numpy as np
from scipy.special import expit, nctdtrinc, stdtr, stdtrit

LOOKS = 3, 5, 8, 13, 21  # numbers of seeds; each look may err in its own share of 5%
SHARES = np.diff([math.log1p((math.e - 1) * n / 21) for n in (0, *LOOKS)])
NUMBER = re.compile(
    r"−?∞|(?<![\w.])(?:[−-]|\$-\$)?\d[\d,]*(?:\.\d+)?(?:e[+-]?\d+)?(?:(?: bits/dim)? fewer)?"
)
SHOWN = {"shown": 1, "%": 100, "less": -1}  # scales of a number, by the part of its name


def hold(what: str, where: str, expected: Any, found: Any, close: float = 1e-9) -> None:
    """End the program unless two things are equal, or two numbers as good as equal."""
    same, numbers = expected == found, {type(expected), type(found)} <= {int, float}
    if not (same or (numbers and math.isclose(expected, found, rel_tol=close, abs_tol=1e-12))):
        sys.exit(f"DIFFERS: {what}\n  where: {where}\n  expected: {expected}\n  found: {found}")


def is_printed(number: float, text: str, mean: float = 0.0) -> bool:
    """Whether a text is this number, rounded as it and as its mean is; `fewer` is below zero."""
    number = -number if text.endswith("fewer") else number
    text = re.sub("[,$]", "", text.split()[0]).replace("−", "-").replace("∞", "inf")
    digits, _, exponent = text.partition("e")
    half = 0.5000001 * 10.0 ** (int(exponent or 0) - len(digits.partition(".")[2]))
    return math.isclose(float(text), number, rel_tol=1e-9, abs_tol=half + 1e-15 * abs(mean))


def text_of(page: str) -> str:
    """What a page says besides its drawings, the full value of each number before it."""
    page = re.sub(r"(?s)<(svg|style|script|head)\b.*?</\1>", " ", page)
    page = re.sub(r"</?(i|sub|math|mover|mi|mo|/data)\b[^>]*>", "", page)
    page = re.sub(r'<data value="([^"]*)">', r"\1 ", page)
    return " ".join(html.unescape(re.sub("<[^>]*>", " ", page)).split())


def at(of: Any, path: list[Any]) -> Any:
    """What stands in a record under these names; None where there is no such."""
    for part in path:
        of = of[int(part)] if isinstance(of, list) else getattr(of, "get", {}.get)(part)
    return of


def unbiased(ours: Any, real: Any) -> float:
    """|m1 - m2|^2 + tr S1 + tr S2 - 2 tr (S1 S2)^(1/2), less its bias b / n: b by a jackknife."""
    features, distances = ours["features"].astype(float), list[Any]()
    eigenvalues, vectors = np.linalg.eigh(real["covariance"])
    root = (vectors * np.sqrt(eigenvalues.clip(min=0))) @ vectors.T
    for without in [np.arange(0), *np.array_split(np.arange(n := len(features)), 8)]:
        sample = np.delete(features, without, axis=0)
        own, apart = np.cov(sample, rowvar=False), ((sample.mean(axis=0) - real["mean"]) ** 2).sum()
        roots = np.sqrt(np.linalg.eigvalsh(root @ own @ root).clip(min=0)).sum()
        distances.append((apart + np.trace(own) + eigenvalues.sum() - 2 * roots, len(sample)))
    (whole, _), *parts = distances
    return float(whole - np.mean([(part - whole) / (1 / m - 1 / n) for part, m in parts]) / n)


def left(schedule: str, T: int) -> Any:
    """The share of an image that 0 to T steps of a schedule leave: linear, or cosine (Eq. 17)."""
    f = np.cos((np.arange(T + 1) / T + 0.008) / 1.008 * np.pi / 2) ** 2
    cosine, linear = np.minimum(1 - f[1:] / f[:-1], 0.999), np.linspace(0.1 / T, 20 / T, T)
    return np.cumprod([1.0, *(1 - {"cosine": cosine, "linear": linear}[schedule])])


EACH: dict[str, Any] = {  # of each seed: numbers, or terms, or losses
    "mean": lambda *of: math.fsum(of) / len(of),
    "place_of_least": lambda *of: float(min(zip(of[1::2], of[::2], strict=True))[1]),
    "log_odds": lambda a, e: math.log((held := min(max(a, e), 1 - e)) / (1 - held)),
    "slope": lambda *xy: float(np.polyfit(np.log(xy[::2]), np.log(xy[1::2]), 1)[0]),
    "share_of_first": lambda terms, prior, n: sum(terms[:n]) / (sum(terms) + prior),
    "log_ratio_of_terms": lambda a, b, i, j: np.mean(
        [math.log(x / y) for x, y in zip(a[i:j], b[i:j], strict=True) if min(x, y) > 0]
    ),
    "level": lambda y, i, T: T * np.mean([v for v in y[i:] if v is not None]),
    "noise": lambda y, i, T: T * np.diff([v for v in y[i:] if v is not None]).std(ddof=1) / 2**0.5,
    "cut": lambda of, i, j: of[i:j],  # of a schedule: what it leaves after each step
    "share_below": lambda of, border: np.mean(of < border),
    "bend": lambda of: abs(of - np.linspace(of[0], of[-1], len(of))).max(),
    "variance_ratios": lambda left: (1 - left[:-1]) / (1 - left[1:]),  # Eq. 10
}
EACH |= {"least": min, "most": max, "log": math.log, "root": math.sqrt, "left": left}
EACH |= {"difference": sub, "ratio": truediv, "times": mul, "item": getitem}


def with_interval(q: Any, by_seed: dict[Any, float]) -> Any:
    """A quantity with its mean, its interval by Student's t, and what that says of its region."""
    values, n = by_seed.values(), 0 if "" in by_seed else len(by_seed)  # of no seed: exact
    mean = math.fsum(values) / len(values)
    error = math.sqrt(math.fsum((v - mean) ** 2 for v in values) / max(n - 1, 1) / max(n, 1))
    half = error * stdtrit(n - 1, 0.975) if n > 1 else math.inf if n else 0.0
    told = error * nctdtrinc(n - 1, 0.2, stdtrit(n - 1, 0.975)) if n > 1 else math.inf

    def within(low: float, high: float) -> float:  # its p-value: below 5% where the interval is
        t = max(low - mean, mean - high) / max(error, 1e-300)
        return min(1.0, 2 * float(stdtr(max(n - 1, 1), t))) if n != 1 else 1.0

    inside, none = within(q["low"], q["high"]), within(-q["matters"], q["matters"])
    outside = min(within(-math.inf, q["low"]), within(q["high"], math.inf), none)
    says = "contradicted" if outside < 0.05 else "supported" if inside < 0.05 else "inconclusive"
    q = q | {"n": n, "mean": mean, "from": mean - half, "to": mean + half, "half": half}
    q |= {f"{end}{side:+}": q[end] + side * told for end in ("low", "high") for side in (-1, 1)}
    scale = {"log odds": expit, "times": np.exp}.get(q["unit"], float)
    shown = {part: float(scale(v)) for part, v in q.items() if isinstance(v, int | float)}
    q |= {name: {part: by * v for part, v in shown.items()} for name, by in SHOWN.items()}
    return q | {"inside": inside, "outside": outside, "says": says, "seeds": by_seed}


def verdict_of(claim: Any, quantities: list[Any], share: float = 1.0) -> str:
    """What deciding quantities say together, by intervals that err in this share of 5%."""
    of = [q for q in quantities if q["decides"]]
    if any(q["outside"] < 0.05 * share for q in of):
        return "contradicted"
    untold, inside = claim["is_untold"], all(q["inside"] < 0.05 * share for q in of)
    if claim["missing"] or (untold and not claim["done"]) or not (of or untold):
        return "not run"
    return "supported" if inside and not untold else "inconclusive"


class Bundle:
    """The files of a bundle, its records by path, the rows of its results, and how all is made."""

    def __init__(self, archive: Any) -> None:
        """Read it, and hold files, records and addresses against their hashes."""
        with zipfile.ZipFile(archive) as opened:
            self.files = {name: opened.read(name) for name in opened.namelist()}
        its = json.loads(self.files["manifest.json"])["sha256"]
        for name in sorted({*its, *self.files} - {"manifest.json"}):
            hold("sha256", name, its.get(name), hashlib.sha256(self.files[name]).hexdigest())
        self.records, self.tasks = dict[str, Any](), dict[str, Any]()
        for name in (n for n in self.files if n.startswith("store/") and n.endswith(".json")):
            body, _, said = self.files[name].rpartition(b'\n "checksum": "')
            hold("checksum", name, hashlib.sha256(body).hexdigest(), said[:-4].decode())
            self.records[name.removeprefix("store/")] = json.loads(self.files[name])
        for address, text in json.loads(self.files["identities.json"]).items():
            self.tasks[address] = task = json.loads(text)
            hashed = f"{task['kind']}-{hashlib.sha256(text.encode()).hexdigest()[:16]}"
            hold("address of a task", "identities.json", hashed, address)
        self.how = json.loads(self.files["derivations.json"])
        self.rows = [row for name in self.how["rows"] for row in self.checked_rows(name)]

    def checked_rows(self, name: str) -> list[dict[str, str]]:
        """The rows of the results, held against the results of tasks and the settings behind."""
        rows = list(csv.DictReader(io.StringIO(self.files[name].decode())))
        hold("number of rows", name, self.how["rows"][name], len(rows))
        for number, row in enumerate(rows):
            where = f"{name}, row {number}: {row.get('metric')} of {row['address']}"
            for column, (needs, path) in self.how["settings"][row.get("evaluation", name)].items():
                task = self.tasks[row["address"]]
                for need in needs:
                    task = self.tasks[task["needs"][need]]
                if (setting := at(task["config"], path)) is not None:
                    hold(column, where, setting, {str: str}.get(type(setting), float)(row[column]))
            if "metric" not in row:  # of trainings
                continue
            result = self.records.get(f"tasks/{row['address']}/result.json")
            hold("whether it is done", where, bool(result), row["state"] == "done")
            path = [row["variance"] if p == "Σ" else p for p in self.how["values"][row["metric"]]]
            value = at(result, path)
            if not path:  # eigenvalues differ a little between libraries
                needs = self.tasks[row["address"]]["needs"]
                both = (f"store/tasks/{needs[r]}/features.npz" for r in ("generated", "reference"))
                value = unbiased(*(np.load(io.BytesIO(self.files[name])) for name in both))
            value = sum(value.values()) if isinstance(value, dict) else value
            error = at(result, [*path[:-1], "standard_error"]) if path[-1:] == ["mean"] else None
            for part, expected in (("value", value), ("standard_error", error)):
                hold(part, where, expected, json.loads(row[part] or "null"), 1e-9 if path else 1e-6)
        return rows

    def work_out(self, made: list[Any]) -> dict[Any, Any]:
        """A number for each seed, made of rows or results as it says; of schedules one for none."""
        name, *parts = made
        if name in ("given", "rows"):
            return {s: float(self.rows[o]["value"]) if name == "rows" else o for s, o in parts[0]}
        if name == "results":
            return {s: at(self.records[f"tasks/{a}/result.json"], path) for s, a, path in parts[0]}
        of = [self.work_out(p) if isinstance(p, list) else p for p in parts]
        by_seed = [one for one in of if isinstance(one, dict)] or [{"": 0}]
        if name == "mean_of_known":
            every = sorted(set().union(*by_seed))
            return {s: EACH["mean"](*(one[s] for one in by_seed if s in one)) for s in every}
        common = sorted(set.intersection(*map(set, by_seed)))
        if name == "log_ratio_of_means":  # the log of the ratio, and each seed's part in its error
            a, b = ({s: one[s] for s in common} for one in by_seed)
            mean_a, mean_b = (sum(one.values()) / len(one) for one in (a, b))
            return {s: math.log(mean_a / mean_b) + a[s] / mean_a - b[s] / mean_b for s in common}
        return {s: EACH[name](*(o[s] if isinstance(o, dict) else o for o in of)) for s in common}

    def measure(self, found: Any) -> list[Any]:
        """The quantities of a claim or of a look; what longer training may turn is held."""
        of = []
        for q in found["quantities"]:
            values, halves = (self.work_out(q[part]) for part in ("made", "made_half_trained"))
            by = {seed: values[seed] - halves[seed] for seed in {*values} & {*halves}}
            q = with_interval(q, values)
            if by:  # as far again, seed by seed, with another doubling; three must leave the mean
                once, thrice = ({s: values[s] + n * by[s] for s in by} for n in (1, 3))
                q |= {"half_trained": with_interval(q, halves), "doubled": with_interval(q, once)}
                longer = with_interval(q, {"": EACH["mean"](*thrice.values())})
                keeps = {q["doubled"]["says"], longer["says"]} == {q["says"]}
                q["held"] |= not keeps and q["says"] != "inconclusive"
            of.append(q | {"decides": q["asked"] and not q["held"]})
        found["is_untold"] = found["untold"] or any(q["asked"] and q["held"] for q in of)
        return of

    def judge(self) -> None:
        """Give claims quantities, the verdicts of all seeds or of a look, p-values, and Holm's."""
        tested, most = list[Any](), 0.0
        for claim in self.how["claims"]:
            of = self.measure(claim)
            claim |= {"quantities": of, "verdict": verdict_of(claim, of), "share": 1.0, "seen": of}
            claim["deciding"] = sum(q["decides"] for q in of)
            seeds = [set(q["seeds"]) for q in of if q["asked"] and q["n"]]
            if self.how["by_looks"] and claim["verdict"] != "not run" and seeds:
                self.look(claim, len(set.intersection(*seeds)))
            of, verdict = [q for q in claim["seen"] if q["decides"] and q["n"]], claim["verdict"]
            is_open = verdict == "inconclusive" and claim["is_untold"]
            if of and verdict != "not run" and not is_open:
                p = max(q["inside"] for q in of), min(q["outside"] for q in of)
                own = {"supported": p[0], "contradicted": p[1]}.get(verdict, min(p))
                claim["p"] = min(1.0, own / claim["share"]) if claim["share"] else 1.0
                tested.append((claim["p"] * (len(of) if verdict == "contradicted" else 1), claim))
        for place, (p, claim) in enumerate(sorted(tested, key=lambda one: one[0])):
            claim["among"] = most = min(1.0, max(most, (len(tested) - place) * p))

    def look(self, claim: Any, most: int) -> None:
        """Give a claim the verdict of the first look that decides it, its share, what it saw."""
        claim |= {"verdict": "inconclusive", "share": 0.0}
        for number, (n, share) in enumerate(zip(LOOKS, SHARES, strict=True)):
            if n <= most and claim["verdict"] == "inconclusive":
                seen = self.measure(look := claim["looks"][number])
                by = verdict_of(look, seen, share).replace("not run", "inconclusive")
                hold("seeds", claim["says"], {n}, {n, *(q["n"] or n for q in seen if q["decides"])})
                claim |= {"verdict": by, "share": share, "seen": seen}

    def count(self) -> None:
        """Give cells of tables and arms of the answer their intervals, and count arms and cells."""
        for q in (others := self.how["others"].values()):
            q |= with_interval(q, self.work_out(q["made"])) | {"row": self.rows[q["row"]]}
        arms = [q["from"] <= 0 <= q["to"] for q in others if q["is_answer"] and q["n"] > 1]
        rows = self.rows[: self.how["rows"]["page/results.csv"]]
        states = [*{(row["address"], row["seed"]): row["state"] for row in rows}.values()]
        seeds = {f"seed {row['seed']}": float(row["seed"]) for row in rows}
        self.how["count"] = {state: states.count(state) for state in ("done", *states)} | seeds
        self.how["count"] |= {"cells": len(states), "arms": len(arms), "hidden": sum(arms)}

    def check_printed(self) -> None:
        """Hold texts of the page and of its tables, and the numbers in them, against all this."""
        page = text_of(self.files["page/index.html"].decode())
        for claim in self.how["claims"]:
            said = f"{claim['says']} {claim['verdict']}{' so far' * claim['so_far']}"
            hold("verdict", "page/index.html", said, said if said in page else "no such")
        for where, texts in self.how["printed"].items():
            content, start = self.files[where].decode(), 0
            lines = content.splitlines() if where.endswith(".csv") else []
            page = text_of(" ".join(cell for row in csv.reader(lines) for cell in row) or content)
            for text, names in texts:
                place, shown = page.find(text, start), NUMBER.findall(text)
                hold("a text", where, text, text if place >= 0 else page[start : start + 300])
                hold("how many numbers", f"{where}: {text}", len(names), len(shown))
                for name, one in zip(names, shown, strict=True):
                    *of, part = (name or "count").split("/")
                    number, mean = (at(self.how, [*of, end]) for end in (part, "mean"))
                    if name and not is_printed(float(number), one, mean or 0.0):
                        hold(name, f"{where}: {text}", number, one)
                start = place + len(text)


def verified(archive: Any) -> Bundle:
    """A bundle that holds; ends the program at what does not."""
    try:
        bundle = Bundle(archive)
        for step in (bundle.judge, bundle.count, bundle.check_printed):
            step()
        return bundle
    except Exception as error:
        sys.exit(f"DIFFERS: the bundle is not whole\n  found: {error!r}")


if __name__ == "__main__":
    for one in (checked := verified(sys.argv[1])).how["claims"]:
        print(f"{one['verdict']}: {one['says']}")
    print("All else follows. Not recomputed:", *checked.how["not_recomputed"], sep="\n  ")
