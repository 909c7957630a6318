# ---
# jupyter:
#   jupytext:
#     formats: py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Explore the routing
#
# *Chào bạn! Sổ tay này chạy hoàn toàn ngoại tuyến, không cần khoá API nào.*
#
# Who would answer a request, why, what would it cost, and what did it cost in the end? This notebook
# answers these questions for the shipped `config.yaml`. It needs no key and no network: *practice
# providers* on this machine speak the wire formats of OpenRouter, OpenAI and Gemini.
#
# Run it from the project's folder with what `make` installed: `.venv/bin/jupytext --to ipynb
# notebooks/explore_routing.py`, then `.venv/bin/jupyter execute --inplace notebooks/explore_routing.ipynb`;
# or open it in Jupyter. All calls are synchronous; they work although a notebook has a running event loop.

# %%
import asyncio
import logging
import random
import tempfile
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import altair as alt
import pandas as pd
from IPython.display import Image

from orchestrator import Orchestrator, Plan, load_config
from orchestrator.core.clock import SystemClock
from orchestrator.ledger.reader import LedgerReader
from orchestrator.practice import PracticePrice, PracticeRequest, PracticeServer
from orchestrator.reports import frames
from orchestrator.whatif.replay import ReplaySettings
from orchestrator.whatif.whatif import TimeRange, what_if

# The orchestrator logs every failed send; below, a table tells of them.
logging.getLogger("orchestrator").setLevel(logging.ERROR)
PLOTS = Path("plots")
PLOTS.mkdir(exist_ok=True)
pd.set_option(
    "display.width", 160, "display.max_columns", 20, "display.precision", 3, "display.max_colwidth", None
)


def show(chart: alt.LayerChart | alt.Chart | alt.FacetChart, name: str) -> Image:
    """Save a chart as PNG, without a browser, and display it."""
    path = PLOTS / f"{name}.png"
    styled = chart.configure_view(strokeWidth=0).configure_title(anchor="start")
    styled.configure_axis(gridColor="#eee", domainColor="#999").save(path, ppi=144)
    return Image(filename=str(path), width=720)


# %% [markdown]
# ## Providers to practise with
#
# The practice providers charge the prices of `config.yaml` and answer ten times as fast as each model
# would, with a text of random length. So costs and the order of latencies are realistic, the words are not.

# %%
HOME = tempfile.TemporaryDirectory(prefix="explore-routing-")  # gone when the notebook's kernel ends
NO_KEYS = {
    "ORCHESTRATOR_HOME": HOME.name,
    "OPENROUTER_API_KEY": "",
    "GEMINI_API_KEY": "",
    "OPENAI_API_KEY": "",
}
PRACTICE_KEYS = dict.fromkeys(("OPENROUTER_API_KEY", "GEMINI_API_KEY", "OPENAI_API_KEY"), "practice")
TODAY = datetime.now(UTC).date()
FASTER = 10

catalog = load_config(today=TODAY, environment=NO_KEYS | PRACTICE_KEYS).catalog
speed = {one.upstream: one.model.speed_tokens_per_s for one in catalog.deployments.values()}


class Writer:
    """Writes 20 to 200 words, at the speed of the model that is asked."""

    async def answer(self, request: PracticeRequest) -> AsyncIterator[str]:
        """Yield word by word."""
        chance = random.Random(str(request.messages))  # noqa: S311 -- the same question, the same length
        words = chance.randint(20, 200)
        await asyncio.sleep((0.5 + words * 1.4 / speed.get(request.model, 100)) / FASTER)
        for _ in range(words):
            yield "word "


def practice_prices() -> dict[tuple[str, str], PracticePrice]:
    """Return the prices of config.yaml as the practice providers charge them."""
    prices = {}
    for one in catalog.deployments.values():
        price = one.price.on(TODAY)
        prices[one.provider_name, one.upstream] = PracticePrice(price.input, price.output, price.cached_input)
    return prices


server = PracticeServer(answerer=Writer(), prices=practice_prices()).start()
environment = NO_KEYS | PRACTICE_KEYS
environment |= {
    f"{name.upper()}_BASE_URL": server.base_url(name) for name in ("openrouter", "google", "openai")
}
orchestrator = Orchestrator(load_config(today=TODAY, environment=environment))
orchestrator.warm_up()
print(
    len(orchestrator.config.catalog.deployments),
    "deployments of",
    len(orchestrator.config.catalog.models),
    "models",
)

# %% [markdown]
# ## A plan, before anything is sent
#
# `explain` returns whom a prompt would be put to, in which order and why. Each candidate has four
# factors from 0 to 1; the score is their weighted sum.


# %%
def plan_frame(plan: Plan) -> pd.DataFrame:
    """Return a plan as a frame, one row a candidate, best first."""
    rows = [
        {
            "deployment": one.deployment,
            "score": one.score,
            **one.parts,
            "expected_usd": one.expected_nusd / 1e9,
            "at_most_usd": one.bound_nusd / 1e9,
            "why": one.reasons[0].text,
        }
        for one in plan.candidates
    ]
    return pd.DataFrame(rows)


QUESTION = "Phân loại phản hồi sau: giao hàng chậm nhưng nhân viên rất nhiệt tình."
plan = plan_frame(orchestrator.explain(QUESTION, use_case="cost_sensitive"))
plan.drop(columns="why").head(8)

# %%
weights = orchestrator.config.settings.use_cases["cost_sensitive"].weights
assert weights is not None
PARTS = ["quality", "cost", "speed", "specialisation"]
weighted = plan[["deployment"]].assign(**{part: plan[part] * getattr(weights, part) for part in PARTS})
stacked = weighted.melt("deployment", var_name="factor", value_name="points")
order = plan["deployment"].tolist()

bars = (
    alt.Chart(stacked)
    .mark_bar()
    .encode(
        x=alt.X("points:Q", title="score (weighted factors)", scale=alt.Scale(domain=[0, 1])),
        y=alt.Y("deployment:N", sort=order, title=None, axis=alt.Axis(labelLimit=260)),
        color=alt.Color("factor:N", sort=PARTS, scale=alt.Scale(scheme="tableau10"), title=None).legend(
            orient="top"
        ),
        order=alt.Order("place:Q"),
    )
    .transform_calculate(place="indexof(['quality', 'cost', 'speed', 'specialisation'], datum.factor)")
)
totals = (
    alt.Chart(plan)
    .mark_text(align="left", dx=4, color="#333")
    .encode(x="score:Q", y=alt.Y("deployment:N", sort=order), text=alt.Text("score:Q", format=".2f"))
)
title = alt.TitleParams(
    "Why this order? Bulk work, best first", subtitle="The emergency model stays last whatever its score."
)
show((bars + totals).properties(width=520, height=alt.Step(20), title=title), "score_parts")

# %% [markdown]
# What if quality counted more? The factors are data, so other weights are one product away. (To put
# them in force, change `weights` in `config.yaml`; a running orchestrator takes the file over.)

# %%
WHAT_IF = pd.DataFrame(
    {
        "as configured": [getattr(weights, part) for part in PARTS],
        "quality first": [0.7, 0.1, 0.1, 0.1],
        "cost first": [0.1, 0.7, 0.1, 0.1],
    },
    index=PARTS,
)
(plan.set_index("deployment")[PARTS] @ WHAT_IF).rank(ascending=False).astype(int).sort_values(
    "as configured"
).head(8)

# %% [markdown]
# ## An experiment: use cases and languages
#
# Each prompt is estimated, asked, and asked again. What is *expected* of the input and the *most* it can
# be are both known before: the bound counts on a tokenizer that knows no Vietnamese.

# %%
PROMPTS = {
    ("customer_service", "vi"): [
        "Đơn hàng DH1001 của tôi bao giờ giao tới nơi?",
        "Tôi muốn đổi áo sang cỡ lớn hơn, phải làm thế nào?",
        "Vì sao tài khoản của tôi bị khoá từ hôm qua?",
    ],
    ("customer_service", "en"): [
        "When will my order DH1001 be delivered?",
        "I would like to exchange the shirt for a larger size, how do I do that?",
        "Why has my account been locked since yesterday?",
    ],
    ("content_generation", "vi"): [
        "Viết thư chúc mừng sinh nhật khách hàng thân thiết, tặng mã giảm giá 10%.",
        "Viết bài giới thiệu dòng trà mới cho trang mạng xã hội.",
        "Viết tin nhắn nhắc khách hàng hoàn tất giỏ hàng.",
    ],
    ("content_generation", "en"): [
        "Write a birthday e-mail to a loyal customer with a coupon of 10%.",
        "Write a post that introduces our new tea for social media.",
        "Write a message that reminds a customer to complete the cart.",
    ],
    ("data_analysis", "vi"): [
        "Doanh thu quý: T7 120, T8 135, T9 98 triệu đồng. Tháng nào giảm và vì sao cần lưu ý?",
        "Tỉ lệ mở thư: A 21%, B 27%, mỗi nhóm 400 khách. Chênh lệch này có đáng tin không?",
        "Khách rời đi: 12 trên 300 tháng trước, 19 trên 310 tháng này. Nhận xét ngắn gọn.",
    ],
    ("data_analysis", "en"): [
        "Revenue: July 120, August 135, September 98 million dong. Which month fell, and why care?",
        "Open rates: A 21%, B 27%, 400 customers each. Can this difference be trusted?",
        "Churn: 12 of 300 last month, 19 of 310 this month. Comment briefly.",
    ],
    ("cost_sensitive", "vi"): [
        "Khen hay chê: giao nhanh, gói hàng cẩn thận.",
        "Khen hay chê: gọi tổng đài mãi không ai nghe máy.",
        "Khen hay chê: hàng đúng mô tả nhưng hơi đắt.",
    ],
    ("cost_sensitive", "en"): [
        "Praise or complaint: fast delivery, careful packaging.",
        "Praise or complaint: nobody ever answers the hotline.",
        "Praise or complaint: as described, but a little expensive.",
    ],
}

rows = []
for (use_case, language), prompts in PROMPTS.items():
    for prompt in prompts:
        wanted = {"use_case": use_case, "tenant": "explore", "tags": (language,)}
        estimate = orchestrator.estimate(prompt, **wanted)
        for asked in ("first", "again"):
            reply = orchestrator.complete(prompt, **wanted)
            rows.append(
                {
                    "use_case": use_case,
                    "language": language,
                    "asked": asked,
                    "cached": reply.cached.value,
                    "model": reply.model,
                    "characters": len(prompt),
                    "expected_tokens": estimate.input_expected_tokens,
                    "at_most_tokens": estimate.input_bound_tokens,
                    "input_tokens": reply.usage.input_tokens,
                    "expected_usd": estimate.expected_nusd / 1e9,
                    "at_most_usd": estimate.bound_nusd / 1e9,
                    "true_usd": reply.cost_nusd / 1e9,
                    "latency_ms": reply.latency_s * 1000,
                }
            )
found = pd.DataFrame(rows)
first = found[found["asked"] == "first"].copy()
SHOWN = [
    "characters",
    "expected_tokens",
    "at_most_tokens",
    "input_tokens",
    "expected_usd",
    "true_usd",
    "at_most_usd",
]
first.groupby(["use_case", "language"])[SHOWN].mean()

# %% [markdown]
# Before a request is sent, the *most* it can cost is held against every budget: that is why no limit is
# ever passed. The true cost lies below that bound; how far depends on how much the model writes.

# %%
assert (first["true_usd"] <= first["at_most_usd"]).all()
CENTS = ["expected_cents", "true_cents", "at_most_cents"]
cents = first.assign(**{name: first[name.replace("cents", "usd")] * 100 for name in CENTS}).reset_index(
    drop=True
)
cents["request"] = cents.index
NAMES = {
    "customer_service": "customer service",
    "content_generation": "content",
    "data_analysis": "data analysis",
    "cost_sensitive": "bulk work",
}
cents["use case"] = cents["use_case"].map(NAMES)

base = alt.Chart(cents).encode(
    y=alt.Y("request:O", title=None, axis=None),
    color=alt.Color(
        "language:N", scale=alt.Scale(domain=["vi", "en"], range=["#d62728", "#1f77b4"]), title=None
    ).legend(orient="top", symbolOpacity=1),
)
held = base.mark_rule(opacity=0.35, strokeWidth=2).encode(
    x=alt.X(
        "true_cents:Q",
        scale=alt.Scale(type="log", domain=[0.001, 10]),
        axis=alt.Axis(values=[0.001, 0.01, 0.1, 1, 10]),
        title="US cents a request (logarithmic)",
    ),
    x2="at_most_cents:Q",
)
at_most = base.mark_tick(thickness=2, size=12).encode(x="at_most_cents:Q")
expected = base.mark_point(size=45, shape="diamond").encode(x="expected_cents:Q")
true = base.mark_circle(size=70, opacity=1).encode(x="true_cents:Q")
title = alt.TitleParams(
    "Estimate and truth", subtitle="Dot: true cost. Diamond: expected before. Tick: held against the budgets."
)
show(
    (held + at_most + expected + true)
    .properties(width=460, height=90)
    .facet(
        row=alt.Row(
            "use case:N",
            sort=list(NAMES.values()),
            title=None,
            header=alt.Header(labelAngle=0, labelAlign="left"),
        )
    )
    .resolve_scale(y="independent")
    .properties(title=title),
    "estimate_and_truth",
)

# %% [markdown]
# The second time the answer comes from the cache, for this tenant alone: no cost, no provider, hardly any time.

# %%
found.groupby(["asked", "cached"])[["true_usd", "latency_ms"]].agg(["mean", "max"])

# %%
found["answered by"] = found["asked"].map({"first": "a model", "again": "the cache"})
found["use case"] = found["use_case"].map(NAMES)
points = (
    alt.Chart(found)
    .mark_circle(size=60, opacity=0.7)
    .encode(
        x=alt.X(
            "latency_ms:Q",
            scale=alt.Scale(type="log", domain=[0.05, 1000]),
            axis=alt.Axis(values=[0.1, 1, 10, 100, 1000]),
            title="milliseconds (logarithmic; the models run at tenfold speed)",
        ),
        y=alt.Y("use case:N", sort=list(NAMES.values()), title=None),
        yOffset=alt.YOffset("answered by:N"),
        color=alt.Color(
            "answered by:N",
            sort=["a model", "the cache"],
            scale=alt.Scale(range=["#1f77b4", "#2ca02c"]),
            title=None,
        ).legend(orient="top"),
    )
)
show(points.properties(width=520, height=alt.Step(26), title="Asked once, asked again"), "latency")

# %% [markdown]
# ## An outage
#
# OpenRouter answers HTTP 503 from now on. Every reply says by whom it was given instead, and why. After
# three failures in a row a deployment's circuit opens: it is not asked again until a probe succeeds.

# %%
server.faults.add("openrouter:status=503")
outage = []
for language in ("vi", "en"):
    for prompt in PROMPTS["customer_service", language]:
        wanted = {"use_case": "customer_service", "tenant": "explore", "tags": ("outage",)}
        reply = orchestrator.complete(f"{prompt} (2)", **wanted)
        outage.append(
            {
                "answered by": reply.deployment,
                "sends": len(reply.attempts),
                "degraded": str(reply.degraded or ""),
            }
        )
server.faults.clear()
pd.DataFrame(outage)

# %%
print({name: state.value for name, state in orchestrator.circuits().items() if state.value != "closed"})

# %% [markdown]
# ## The ledger
#
# Everything above is booked: one row a request, one row a send. Money is whole nano-dollars.

# %%
ledger = LedgerReader(Path(orchestrator.config.settings.ledger.path))
month = datetime.now(ZoneInfo(orchestrator.config.settings.budgets.time_zone)).strftime("%Y-%m")
with ledger as reader:
    operations = frames.operations(reader, month=month)
    attempts = frames.attempts(reader, month=month)

assert attempts["cost_nusd"].sum() == operations["cost_nusd"].sum() == server.bill.total_nusd()
attempts.groupby(["provider", "outcome"]).agg(sends=("number", "size"), cost_nusd=("cost_nusd", "sum"))

# %%
by_model = (
    attempts[attempts["cost_nusd"] > 0]
    .groupby(["model", "use_case"], as_index=False)["cost_nusd"]
    .sum()
    .assign(cents=lambda frame: frame["cost_nusd"] / 1e7, use_case=lambda frame: frame["use_case"].map(NAMES))
)
chart = (
    alt.Chart(by_model)
    .mark_bar()
    .encode(
        x=alt.X("cents:Q", title="US cents"),
        y=alt.Y("model:N", sort="-x", title=None, axis=alt.Axis(labelLimit=200)),
        color=alt.Color("use_case:N", sort=list(NAMES.values()), title=None).legend(orient="top"),
    )
)
show(chart.properties(width=520, height=alt.Step(28), title="What each model has cost"), "cost_by_model")

# %% [markdown]
# ## What if?
#
# What would another order have cost? Both configurations are replayed over what the ledger recorded: nothing
# is sent, and each number says on how many recorded sends it rests.

# %%
used = orchestrator.config
use_case = used.settings.use_cases["customer_service"]
first, second, *others = use_case.route
turned = use_case.model_copy(update={"primary": second, "fallbacks": (first, *others)})
tried = replace(
    used,
    settings=used.settings.model_copy(
        update={"use_cases": {**used.settings.use_cases, "customer_service": turned}}
    ),
)
now = datetime.now(UTC)
span = TimeRange(now - timedelta(days=1), now)
compared = what_if(used, tried, span, settings=ReplaySettings(seed=1), clock=SystemClock())
sides = {"in use": compared.before.total, "turned round": compared.after.total}
print(
    {name: f"{total.cost_nusd / 1e7:.3f} cents" for name, total in sides.items()}, *compared.notices, sep="\n"
)

# %% [markdown]
# The sums agree to the nano-dollar: what the requests cost, what the sends cost, and what the providers
# charged. From here on it is your turn: other prompts, other weights, your own keys.

# %%
orchestrator.close()
server.stop()
