# %% [markdown]
# # Policy gradient: learning what to propose
#
# A controller proposes an architecture, hears how good it is, and changes its mind a little. That was the first neural
# architecture search (Zoph & Le, 2017). Here the space is so small that we can compute what the controller does *on
# average*, and see where the textbook sentence "it converges" stops being true.
#
# After this lesson you can
#
# 1. write down the gradient of the expected accuracy, and check it to the last digit,
# 2. say what a baseline changes and what it does not,
# 3. name two ways in which the method gets stuck.
#
# Before: lesson 01 (what a search space is). Runs in 15 seconds on two CPU cores.

# %%
import numpy as np

import nbnas as nb
from nbnas.course import chart, claim, digits64, exercise, params, rng, show
from nbnas.course import policy_gradient as pg

space = digits64.space()
every = pg.choices(space)  # the choices of all 64 architectures
rewards = digits64.measured().valid[:, :, -1].mean(axis=0)  # accuracy on valid, mean of five trainings
best, worst = int(rewards.argmax()), int(rewards.argmin())
print(space)
print(f"accuracy from {rewards[worst]:.3f} to {rewards[best]:.3f}, mean {rewards.mean():.3f}")

# %% [markdown]
# ## 1. The space, all of it
#
# Three layers, each a skip, an average pooling, or a convolution of size 1 or 3. All 64 networks have been trained five
# times; the table comes with the library.

# %%
order = np.argsort(rewards)
show(
    chart(
        "All 64 networks of digits64",
        "rank (0 is the worst)",
        "accuracy on valid",
        dots={"mean of five trainings": (range(64), rewards[order])},
    ),
    "Most networks are above 0.85, those with little convolution below; all rewards are positive.",
)

# %% [markdown]
# **Predict.** All accuracies are positive. The controller draws the *worst* network and hears its accuracy, a positive
# number. Will it propose that network more often or less often from now on? Decide before you read on.
#
# ## 2. The policy and its gradient
#
# The policy has one row of four numbers $\theta_d$ for each of the three decisions, and draws each choice from their
# softmax:
#
# $$\pi_\theta(a) = \prod_{d=1}^{3} \mathrm{softmax}(\theta_d)_{a_d}, \qquad J(\theta) = \sum_a \pi_\theta(a)\,R(a).$$
#
# $J$ is the accuracy that one proposal gets on average. We want to go uphill on it. Since
# $\nabla \pi = \pi\,\nabla \log \pi$,
#
# $$\nabla J(\theta) = \mathbb{E}_{a \sim \pi}\big[R(a)\,s(a)\big], \qquad s(a) = \nabla_\theta \log \pi_\theta(a).$$
#
# In words: pull towards each proposal as hard as it was good, and on average you go uphill. The vector $s$ is the
# **score** of a proposal. REINFORCE (Williams, 1992) takes one draw instead of the average.
#
# `nb.strategies.Reinforce` does exactly that. We tell it the reward of each of the 64 architectures, always from the
# same policy, and look at the 64 steps that it takes. Weighted by their probabilities they must be the gradient of $J$,
# which we also compute in the dullest way: move each number a little, and see how $J$ changes.

# %%
theta = rng("05", "2").normal(size=(3, 4))


def value(theta):
    return float(pg.probabilities(theta, every) @ rewards)


pi = pg.probabilities(theta, every)
mean_step = pg.moments(pg.library_steps(space, theta, rewards, baseline=0.0), pi).mean
numerical = pg.numerical_gradient(value, theta)
print(np.round(mean_step, 4), np.round(numerical, 4), sep="\n\n")

# %%
claim(
    "05.1",
    "The mean step of Reinforce over all 64 architectures is the gradient of the expected accuracy.",
    np.abs(mean_step - numerical).max() < 1e-8 and np.abs(numerical).max() > 1e-3,
    value=np.abs(mean_step - numerical).max(),
    threshold=1e-8,
)

# %% [markdown]
# ## 3. A baseline
#
# Subtract any number $b$ from the reward. The mean step stays, because the mean score is zero: probabilities sum to 1
# whatever $\theta$ is, so $\mathbb{E}[s] = \sum_a \nabla \pi(a) = \nabla 1 = 0$. But single steps change, and with them
# how much they scatter:
#
# $$V(b) = \mathbb{E}\,\|(R-b)\,s\|^2 - \|\nabla J\|^2 = V(b^*) + \mathbb{E}\|s\|^2\,(b - b^*)^2,
# \qquad b^* = \frac{\mathbb{E}\big[\|s\|^2 R\big]}{\mathbb{E}\|s\|^2}.$$
#
# A parabola: there is one best constant $b^*$. It is nearly, but not exactly, the mean reward $J$.

# %%
J = float(pi @ rewards)
scores = pg.scores(theta, every)
length = (scores**2).sum(axis=(1, 2))  # |s|^2
b_star = float((pi * length) @ rewards / (pi @ length))
baselines = {"0": 0.0, "J": J, "b*": b_star, "-1": -1.0}
steps = {name: pg.library_steps(space, theta, rewards, baseline=b) for name, b in baselines.items()}
found = {name: pg.moments(one, pi) for name, one in steps.items()}
V = {name: one.variance for name, one in found.items()}
for name, b in baselines.items():
    print(f"baseline {name:>2} = {b:6.3f}: variance of one step {V[name]:.4f}")

# %%
shift = max(np.abs(one.mean - found["0"].mean).max() for one in found.values())
claim(
    "05.2",
    "A constant baseline leaves the mean step of Reinforce as it is.",
    shift < 1e-12,
    value=shift,
    threshold=1e-12,
)
claim(
    "05.3",
    "The variance is smallest with b*, hardly larger with J, and more than 20 times as large without a baseline.",
    V["b*"] <= V["J"] <= 1.2 * V["b*"] and V["0"] > 20 * V["J"] and V["-1"] > V["0"],
    kind="empirical",
    value=V["0"] / V["J"],
    threshold=20,
)

# %%
grid = np.linspace(-0.2, 1.2, 57)
curve = np.array([pg.moments((rewards - b)[:, None, None] * scores, pi).variance for b in grid])
parabola = V["b*"] + (pi @ length) * (grid - b_star) ** 2
claim(
    "05.4",
    "The variance is the parabola around b* that the formula says.",
    np.abs(curve - parabola).max() < 1e-9,
    value=np.abs(curve - parabola).max(),
    threshold=1e-9,
)
show(
    chart(
        "What a baseline is worth",
        "baseline b (accuracy)",
        "variance of one step",
        lines={"variance": (grid, curve)},
        dots={name: ([baselines[name]], [V[name]]) for name in ("0", "J", "b*")},
    ),
    f"A parabola with its lowest point at b* = {b_star:.3f}; the mean reward J is almost there, 0 is far away.",
)

# %% [markdown]
# ## 4. How many draws until the step points uphill?
#
# With $n$ draws the mean squared error of the estimate is $V(b)/n$. To halve the error takes four times the draws; a
# baseline that divides the variance by $k$ saves a factor of $k$ in *trained networks*.

# %%
counts, repeats = np.array([1, 4, 16, 64, 256]), params().pick(400, 2000, 10_000)
random = rng("05", "4")
errors, spread = {}, {}
for name in ("0", "J"):
    one = (rewards - baselines[name])[:, None, None] * scores
    squares = []
    for n in counts:
        drawn = random.multinomial(n, pi, size=repeats) / n  # how often each architecture was drawn
        estimate = np.tensordot(drawn, one, axes=1)
        squares.append(((estimate - found[name].mean) ** 2).sum(axis=(1, 2)))
    errors[name] = np.array([one.mean() for one in squares])
    spread[name] = np.array([one.std() for one in squares]) / repeats**0.5
z = max(np.abs((errors[name] - V[name] / counts) / spread[name]).max() for name in errors)

# %%
claim(
    "05.5",
    "The mean squared error of n draws is V(b) / n, within 6 standard errors "
    "(by chance wrong less than once in a million).",
    z < 6,
    kind="statistical",
    value=z,
    threshold=6,
)
root = {f"baseline {name}, seen": (np.log2(counts), np.log10(one**0.5)) for name, one in errors.items()}
line = {f"baseline {name}, V(b) / n": (np.log2(counts), np.log10((V[name] / counts) ** 0.5)) for name in errors}
show(
    chart("Error of the estimated gradient", "log2 of draws n", "log10 of the error", lines=line, dots=root),
    "Both errors fall as one over the root of n; with the baseline J the line lies lower by a constant factor.",
)

# %% [markdown]
# ## 5. Watch it
#
# The same strategy as a real search on the table, with Adam and a moving average as its baseline. The view is live:
# the heat map shows the three rows becoming sure, *Controller* the rewards around the baseline. Press **Pause**, then
# **Step**, to see single proposals.

# %% [live]
run = nb.search(
    space,
    None,
    nb.strategies.Reinforce(controller="softmax", learning_rate=0.1),
    digits64.evaluator(seed=None),
    budget=nb.Budget(trials=params().pick(120, 300, 1000)),
    seed=5,
    name="REINFORCE on digits64",
)
run

# %% [live]
run.wait()
told = [event for event in run.events if type(event).__name__ == "PolicyUpdated"]
total = weight = 0.0
off = []
for event in told:
    total, weight = 0.9 * total + 0.1 * event.reward, 0.9 * weight + 0.1
    off.append(abs(event.baseline - total / weight) + abs(event.advantage - (event.reward - event.baseline)))
claim(
    "05.6",
    "The run subtracts the moving average of its rewards, the reward of the moment included.",
    max(off) < 1e-9 and len(told) > 100,
    value=max(off),
    threshold=1e-9,
)
late = np.mean([event.reward for event in told[-50:]])
print(f"mean reward of the first 50 proposals {np.mean([e.reward for e in told[:50]]):.3f}, of the last 50 {late:.3f}")

# %% [markdown]
# The moving average contains the reward of the moment, so it is *not* independent of the proposal. Here that is
# harmless: $R - (0.9\,B + 0.1\,R) = 0.9\,(R - B)$, the same direction, a tenth shorter.
#
# ## 6. Failure: rich get richer
#
# Back to your prediction. A step along the score of $a$ makes $a$ more probable, and a step against it less probable,
# whatever its size. So without a baseline *every* proposal becomes more probable, the worst one too.

# %%
places = np.arange(64)
change = {name: np.log(pg.probabilities(theta + steps[name], every)[places, places] / pi) for name in ("0", "J")}
claim(
    "05.7",
    "After it was drawn, each of the 64 architectures is more probable without a baseline; "
    "with the baseline J exactly those above J are.",
    bool((change["0"] > 0).all() and ((change["J"] > 0) == (rewards > J)).all()),
    value=float(change["0"].min()),
    threshold=0.0,
)
print(f"drawing the worst network changes its log-probability by {change['0'][worst]:+.3f} without a baseline,")
print(f"and by {change['J'][worst]:+.3f} with J")

# %% [markdown]
# On average the gradient is right all the same. But a search is not an average. With large steps, what was drawn first
# is drawn again, is rewarded again, and the policy commits to it. We let many controllers run, one draw a step, and
# count those that end with more than 0.99 on a network that is at least 0.02 worse than the best.

# %%
starts = np.zeros((params().pick(200, 500, 2000), 3, 4))
committed = {}
for name, with_baseline in (("0", False), ("J", True)):
    end = pg.sample_run(starts, every, rewards, rate=2.0, steps=300, with_baseline=with_baseline, rng=rng("05", "6"))
    sure = pg.probabilities(end, every)
    poor = rewards[sure.argmax(axis=1)] < rewards[best] - 0.02
    committed[name] = float(np.mean((sure.max(axis=1) > 0.99) & poor))
    print(
        f"baseline {name}: {committed[name]:.0%} committed to a lesser network; "
        f"the mean accuracy is {(sure @ rewards).mean():.4f}"
    )

# %%
claim(
    "05.8",
    "At rate 2 more than a quarter of the controllers without a baseline commit to a lesser network; with J none does.",
    committed["0"] > 0.25 and committed["J"] == 0,
    kind="empirical",
    value=committed["0"],
    threshold=0.25,
    margin_sd=4.2,  # 0.397 over 20 seeds; of 200 controllers its standard deviation is 0.035
)

# %% [markdown]
# ## 7. Failure: a hill that is not the highest
#
# "With small steps the gradient converges to the best architecture." For *one* softmax over all architectures and exact
# gradients that is a theorem (Mei et al., 2020), and it is slow: the gap falls as $1/t$. But no controller has one
# softmax over all architectures. With a row for each decision there are hills. The smallest example: two decisions, two
# options each, rewards
#
# $$R = \begin{pmatrix} 1 & 0 \\ 0 & 0.8 \end{pmatrix}.$$
#
# From the second hill, changing one decision alone makes everything worse.

# %%
two = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
hills = np.array([1.0, 0.0, 0.0, 0.8])
start = rng("05", "7").normal(size=(params().pick(200, 400, 2000), 2, 2))
rows = pg.ascend(start, two, hills, rate=1.0, steps=2000)  # exact gradients, no chance at all
at_rows = pg.probabilities(rows, two)
stuck = at_rows[:, 3] > 0.95
print(f"one row a decision: {stuck.mean():.0%} of the starts end on the lower hill")

# The same starting probabilities, as one softmax over the four architectures.
four = np.arange(4)[:, None]
joint_start = np.log(pg.probabilities(start, two))[:, None, :]
half = pg.probabilities(pg.ascend(joint_start, four, hills, rate=20.0, steps=1000), four)
joint = pg.probabilities(pg.ascend(joint_start, four, hills, rate=20.0, steps=2000), four)
print(f"one softmax: {np.mean(joint[:, 0] > 0.9):.1%} are at the top, the others still climb")

# %%
claim(
    "05.9",
    "With one row a decision, a quarter or more of the starts end on the lower hill, by exact gradients.",
    0.25 < stuck.mean() < 0.6 and bool((at_rows[stuck, 0] < 0.01).all()),
    kind="empirical",
    value=stuck.mean(),
    threshold=0.25,
    margin_sd=4.8,  # 0.42 with standard deviation 0.035 over 40 seeds of 200 starts
)

# %%
claim(
    "05.10",
    "With one softmax more than 93 % of the same starts reach the top, and J still rises at all of them.",
    np.mean(joint[:, 0] > 0.9) > 0.93 and bool((joint @ hills > half @ hills).all()),
    kind="empirical",
    value=float(np.mean(joint[:, 0] > 0.9)),
    threshold=0.93,
    margin_sd=6,  # 0.984 with standard deviation 0.009
)

# %% [markdown]
# Is digits64 such a landscape? A **local optimum** is an architecture that no change of one decision improves. We ask
# the space itself for the neighbours.

# %%
known = dict(zip(space.enumerate(), rewards, strict=True))
peaks = [one for one in known if all(known[other] < known[one] for other in space.neighbours(one))]
for one in peaks:
    print(one, f"accuracy {known[one]:.4f}", list(space.options(one).values()))
noise = digits64.measured().valid[:, :, -1].std(axis=0, ddof=1) / 5**0.5  # of a mean of five trainings
print(f"they differ by {np.ptp([known[one] for one in peaks]):.4f}; a mean is known to {np.median(noise):.4f}")
claim(
    "05.11",
    "digits64 has three local optima, and their accuracies differ by less than the noise of the table.",
    len(peaks) == 3 and max(known.values()) - min(known[one] for one in peaks) < np.median(noise),
    value=len(peaks),
    threshold=3,
)

# %% [markdown]
# So here it costs nothing to end on the wrong hill. Do not conclude from a friendly table that all tables are friendly.
#
# ## 8. Exercises
#
# Each checks itself: run the cell, read what is wrong, try again. `exercise("05.a").hint(1)` helps, up to `hint(3)`.
#
# **05.a** Write score(theta, choice): the gradient of log softmax(theta)[choice] with respect to theta.


# %%
def score(theta, choice):
    """Your code: an array of the shape of theta."""


exercise("05.a").check(score)

# %% [markdown]
# **05.b** Write best_baseline(probabilities, rewards, scores), the constant b that makes the variance smallest.
#
# The scores have one row for each architecture.


# %%
def best_baseline(probabilities, rewards, scores):
    """Your code: a number."""


exercise("05.b").check(best_baseline)

# %% [markdown]
# **05.c** Write step(theta, choices, rewards, baseline, learning_rate): one step of REINFORCE on several draws.
#
# It returns the new theta; one row of it is enough here.


# %%
def step(theta, choices, rewards, baseline, learning_rate):
    """Your code: an array of the shape of theta."""


exercise("05.c").check(step)

# %% [markdown]
# ## 9. What the survey says, and what holds
#
# | The survey | What holds | Claim |
# |---|---|---|
# | The controller follows the gradient of the expected reward. | Yes, on average, with or without a baseline. | 05.1, 05.2 |
# | A baseline reduces variance. | Yes: a parabola in $b$, best at $b^*$, nearly best at $J$. It also decides whether a bad draw is repeated. | 05.3, 05.4, 05.7, 05.8 |
# | It converges to the best architecture. | Only for one softmax over all architectures and exact gradients. With a row a decision there are lower hills, and with few draws and large steps it commits early. | 05.8 to 05.11 |
#
# In general, stochastic gradient steps that shrink properly bring the *gradient* to zero. That says nothing of how good
# the place is.
#
# ## References
#
# * Williams, *Simple Statistical Gradient-Following Algorithms for Connectionist Reinforcement Learning*, Machine
#   Learning 8, 1992.
# * Zoph & Le, *Neural Architecture Search with Reinforcement Learning*, ICLR 2017, arXiv:1611.01578.
# * Weaver & Tao, *The Optimal Reward Baseline for Gradient-Based Reinforcement Learning*, UAI 2001, arXiv:1301.2315.
# * Mei, Xiao, Szepesvari & Schuurmans, *On the Global Convergence Rates of Softmax Policy Gradient Methods*, ICML 2020,
#   arXiv:2005.06392.
# * Chung, Thomas, Machado & Le Roux, *Beyond Variance Reduction: Understanding the True Impact of Baselines on Policy
#   Optimization*, ICML 2021, arXiv:2008.13773.

# %%
print("nbnas", nb.__version__, "numpy", np.__version__, "profile", params().name)
