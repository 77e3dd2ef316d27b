# %% [markdown]
# # Evolution: what elitism guarantees
#
# Keep a population, let the better ones have children, change the children a little, decide who stays. Evolution was
# among the first methods of neural architecture search and is still hard to beat. It is also where textbooks promise
# too much. Here we count, on a space whose 64 networks are all known.
#
# After this lesson you can
#
# 1. write a generation as four operators, one after the other,
# 2. say exactly what never falls under which rule of survival, and what may,
# 3. split the change of the mean into what selection wins and what mutation loses.
#
# Before: lesson 01 (what a search space is). Runs in 15 seconds on two CPU cores.

# %%
import numpy as np

import nbnas as nb
from nbnas.course import chart, claim, digits64, evolution, exercise, params, rng, show

space = digits64.space()
names = digits64.measured().architectures
fitness = digits64.measured().valid[:, :, -1].mean(axis=0)  # accuracy on valid, mean of five trainings
known = dict(zip(names, fitness, strict=True))
top = np.flatnonzero(fitness == fitness.max())  # the best, of which there are two
best = int(top[0])
evaluator = digits64.evaluator(seed=None)
print(space)
print(f"best: {[names[place] for place in top]} with {fitness[best]:.4f}; mean of all {fitness.mean():.4f}")

# %% [markdown]
# **Predict.** The best member of a population is copied into the next one (*elitism*). Which of these can never fall from
# one generation to the next: the best fitness, the mean fitness, both, neither?
#
# ## 1. One generation
#
# A generation is a chain of operators, applied from the inside out:
#
# $$P' = \mathrm{Survive}\big(P \cup \mathrm{Mut}(\mathrm{Cross}(\mathrm{Sel}(P)))\big).$$
#
# * **Sel** draws parents, the fitter ones more often,
# * **Cross** gives a child parts of two parents,
# * **Mut** changes each decision of the child with a small probability,
# * **Survive** decides who is in the next population. Four rules are common:
#
# | rule | who is in the next population |
# |---|---|
# | comma | the best of the children only |
# | elitist | the children, and the $e$ best parents unchanged |
# | plus | the best of parents and children together |
# | ageing | the child joins, the *oldest* leaves, whoever it is |
#
# Ageing is the rule of AmoebaNet (Real et al., 2019), which also has no crossover. So it is no example of elitism,
# though it is often told as one.

# %%
rules = {
    "comma": nb.strategies.GeneticAlgorithm(population=20, survival="comma"),
    "elitist": nb.strategies.GeneticAlgorithm(population=20, survival="generational", elitism=2),
    "plus": nb.strategies.GeneticAlgorithm(population=20, survival="plus"),
    "ageing": nb.strategies.RegularizedEvolution(population=20, tournament=5),
}

# %% [markdown]
# ## 2. Watch it
#
# A real search on the table. *Population* shows the best, the median and the quartiles of the living. Press **Pause**
# and then **Step** to add one child at a time.

# %% [live]
run = nb.search(
    space,
    None,
    rules["elitist"],
    evaluator,
    budget=nb.Budget(trials=params().pick(128, 308, 1010)),
    seed=6,
    name="A genetic algorithm with two elites",
)
run

# %% [live]
run.wait()
alive, mean = {}, []
for event in run.events:
    if type(event).__name__ == "PopulationUpdated":
        alive.update(event.born)
        for trial in event.died:
            del alive[trial]
        mean.append(np.mean(list(alive.values())))
fell = int((np.diff(mean) < -1e-12).sum())
print(f"{len(mean)} generations; the mean fitness fell {fell} times")
show(
    chart("Mean fitness of the living", "generation", "accuracy on valid", lines={"mean": (range(len(mean)), mean)}),
    "The mean fitness rises at first, then goes up and down although the best is always kept.",
)

# %% [markdown]
# ## 3. Count what falls
#
# One run is an anecdote. We let each rule run many times and count the runs in which the best fitness, the mean of the
# two best, and the mean of all *ever* fell. The strategies are those of the library; only the store and the view are
# left out.

# %%
runs, count = params().pick(6, 60, 200), 30
fell = {
    rule: evolution.drops(settings, space, fitness, runs=runs, count=count, rng=rng("06", "3"))
    for rule, settings in rules.items()
}
print(f"runs of {runs} with a fall in {count} generations")
print(f"{'':10}{'best':>8}{'two best':>10}{'mean':>8}")
for rule, one in fell.items():
    print(f"{rule:10}{one.best:8}{one.top:10}{one.mean:8}")

# %%
claim(
    "06.1",
    "With elites the best never falls, nor does the mean of as many best as there are elites.",
    fell["elitist"].best == 0 and fell["elitist"].top == 0,
    value=fell["elitist"].best + fell["elitist"].top,
    threshold=0,
)
claim(
    "06.2",
    "With elites the mean of the population does fall, in more than nine of ten runs.",
    fell["elitist"].mean > 0.9 * runs,
    kind="empirical",
    value=fell["elitist"].mean / runs,
    threshold=0.9,
)

# %%
claim(
    "06.3",
    "With plus survival neither the best nor the mean ever falls.",
    fell["plus"] == (0, 0, 0),
    value=sum(fell["plus"]),
    threshold=0,
)
claim(
    "06.4",
    "With comma survival and with ageing, best and mean fall in more than nine of ten runs.",
    min(fell[rule].best for rule in ("comma", "ageing")) > 0.9 * runs
    and min(fell[rule].mean for rule in ("comma", "ageing")) > 0.9 * runs,
    kind="empirical",
    value=min(fell["comma"].best, fell["ageing"].best) / runs,
    threshold=0.9,
)

# %% [markdown]
# Why? The two best of a population with two elites were there before, or something better is. The mean of the 20 best
# of *parents and children* is at least the mean of the 20 parents. Nothing of the kind holds for the mean with elites:
# 18 of 20 members are new children, good or bad.
#
# ## 4. What selection wins, what mutation loses
#
# Let $w_i$ be the expected number of children of member $i$, for as many children as members, so that their mean is 1.
# **Price's equation** (1972) splits the expected change of the mean:
#
# $$\mathbb{E}[\Delta \bar f] = \underbrace{\mathrm{Cov}(w, f)}_{\text{selection}} +
# \underbrace{\mathbb{E}[w\,(f_{\text{child}} - f)]}_{\text{transmission}}.$$
#
# Selection is never negative when the fitter have more children. With roulette it is the variance over the mean,
# exactly. Transmission is what mutation does to a child, and may have any sign. On 64 networks we can compute both:
# mutation is a 64 × 64 matrix.

# %%
mutation = evolution.mutation_matrix(space, rate=1 / 3)
child = mutation @ fitness  # expected fitness of a child of each architecture
settings = nb.strategies.GeneticAlgorithm(population=20, selection="roulette", crossover_rate=0.0)
members = rng("06", "4").choice(np.argsort(fitness)[16:], size=20)  # not the worst sixteen
own = fitness[members]
parts = evolution.price(own, settings.probabilities(list(own)), child[members])
print(f"selection {parts.selection:+.5f}, transmission {parts.transmission:+.5f}, together {parts.change:+.5f}")

# %%
claim(
    "06.5",
    "The change of the mean is selection plus transmission, and with roulette selection is variance over mean.",
    abs(parts.change - parts.selection - parts.transmission) < 1e-12
    and abs(parts.selection - own.var() / own.mean()) < 1e-12,
    value=abs(parts.change - parts.selection - parts.transmission),
    threshold=1e-12,
)
parents = [(names[place], fitness[place]) for place in members]
family = evolution.children(settings, space, parents, params().pick(2000, 5000, 20_000), rng("06", "5"))
seen = np.array([known[one] for one in family])
z = (seen.mean() - own.mean() - parts.change) / (seen.std() / len(seen) ** 0.5)
claim(
    "06.6",
    "Children that the library proposes change the mean as Price's equation says, within 6 standard errors "
    "(by chance wrong less than once in a million).",
    abs(z) < 6,
    kind="statistical",
    value=abs(z),
    threshold=6,
)

# %%
levels, won, lost = range(0, 64, 3), [], []
order = np.argsort(fitness)
for level in levels:  # populations of ever better architectures
    group = order[max(0, level - 9) : level + 11]
    one = evolution.price(fitness[group], settings.probabilities(list(fitness[group])), child[group])
    won.append(one.selection)
    lost.append(one.transmission)
height = [fitness[order[max(0, level - 9) : level + 11]].mean() for level in levels]
show(
    chart(
        "Selection against transmission",
        "mean fitness (accuracy)",
        "expected change of the mean",
        lines={"selection": (height, won), "transmission": (height, lost)},
    ),
    "Selection wins little once members are alike; mutation helps a bad population and harms a good one.",
)

# %% [markdown]
# ## 5. A population at the top must fall
#
# No chance is needed for a counterexample. Put every member on the best architecture. Selection wins exactly nothing,
# all members being equal, and any mutation leads to something worse. The elite stays, the mean falls.

# %%
at_top = evolution.price(np.full(20, fitness[best]), np.full(20, 1 / 20), np.full(20, child[best]))
with_elite = 19 / 20 * at_top.change  # one of the 20 is kept as it is
print(f"expected change of the mean with one elite: {with_elite:+.4f}")
claim(
    "06.7",
    "From a population at the optimum the mean falls in expectation, elite or not: selection wins nothing there.",
    abs(at_top.selection) < 1e-12 and with_elite < -0.001,
    value=with_elite,
    threshold=-0.001,
)

# %% [markdown]
# ## 6. Failure: the best one dies of old age
#
# In ageing evolution the oldest leaves. Let the first, hence oldest, of five members be the best architecture there is.

# %%
others = [names[place] for place in np.argsort(fitness)[:4]]
first = [(names[best], fitness[best]), *((name, known[name]) for name in others)]
settings = nb.strategies.RegularizedEvolution(population=5, tournament=2)
strategy = evolution.started(settings, space, first, rng("06", "6"))
before = [str(member.architecture) for member in strategy.population]
evolution.breed(strategy, known.get, 1, first=6)
after = [str(member.architecture) for member in strategy.population]
print("before:", before)
print("after: ", after)

# %%
claim(
    "06.8",
    "After one child the best member is gone from the population of ageing evolution, since it was the oldest.",
    before[0] == names[best] and before[1:] == after[:-1] and len(after) == 5,
)

# %% [markdown]
# Nothing is lost for the *search*: the run remembers what it has seen, and reports the best of all
# trials (`run.incumbent`), not of the living. Ageing has a point: an architecture that was lucky once must prove itself
# again through its children, or its line dies out.
#
# ## 7. Does it converge?
#
# Take one parent and one child. If the better stays, $(1+1)$, and mutation can reach everything, then the probability
# to be at the optimum tends to 1. If the child always replaces the parent, $(1,1)$, it never settles. Both are Markov
# chains on 64 states, so we can look (Rudolph, 1994, for the general statement).

# %%
plus, comma = evolution.chain(mutation, fitness, plus=True), evolution.chain(mutation, fitness, plus=False)
times = [0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000]
at = np.eye(64)
from_worst = [(at[fitness.argmin()] @ np.linalg.matrix_power(plus, t))[top].sum() for t in times]
from_best = [(at[best] @ np.linalg.matrix_power(comma, t))[top].sum() for t in times]
mass = {"(1+1) from the worst": from_worst, "(1,1) from a best": from_best}
found = evolution.hitting_times(plus, top).mean()
print(f"from a random start, a best one is found after {found:.1f} children by (1+1), after 31 by random draws")
show(
    chart(
        "Probability to be at the optimum",
        "log10 of (1 + children)",
        "probability",
        lines={name: (np.log10(1 + np.array(times)), one) for name, one in mass.items()},
    ),
    "With (1+1) the probability goes to one; (1,1) starts at a best one and falls to two in sixty-four.",
)

# %%
claim(
    "06.9",
    "After 5,000 children (1+1) is at an optimum with probability above 1 - 1e-9, and (1,1) with 2/64, as by chance.",
    from_worst[-1] > 1 - 1e-9 and abs(from_best[-1] - 2 / 64) < 1e-9,
    value=1 - from_worst[-1],
    threshold=1e-9,
)

# %% [markdown]
# That theorem is silent about time: here $(1+1)$ needs *longer* than random draws, since the two best networks lie far from
# each other with lesser hills between. And it needs a fitness without noise.
#
# ## 8. Failure: a lucky elite
#
# Training the same network again gives another accuracy. The table has five trainings of each network. Now a member is
# measured once, by one of them at random, and an elite keeps the number that it got. What is it really worth?

# %%
trainings = digits64.measured().valid[:, :, -1]  # (seeds, architectures)
runs = params().pick(12, 60, 200)
optimism = evolution.optimism(rules["elitist"], space, trainings, runs=runs, count=8, rng=rng("06", "8"))
print(f"the best member claims {optimism.mean():.4f} more than it is worth on average")
claim(
    "06.10",
    "With measured noise the elite claims more than it is worth: by more than 0.002 on average.",
    optimism.mean() > 0.002,
    kind="empirical",
    value=optimism.mean(),
    threshold=0.002,
    margin_sd=10,  # 0.0047 with standard deviation 0.00026 over 10 seeds of 12 runs
)

# %% [markdown]
# So the guarantee of section 3 is about the *measured* fitness. It never falls because good luck is kept.
#
# ## 9. Exercises
#
# Each checks itself: run the cell, read what is wrong, try again. `exercise("06.a").hint(1)` helps, up to `hint(3)`.
#
# **06.a** Write tournament(fitness, size): how likely each member (all different) wins `size` draws with replacement.


# %%
def tournament(fitness, size):
    """Your code: an array with a probability for each member."""


exercise("06.a").check(tournament)

# %% [markdown]
# **06.b** Give a population of digits64 whose mean falls, in expectation, in a generation with one elite.
#
# Parents win tournaments of two, there is no crossover, and each decision mutates with probability one third.

# %%
population = ["0-0-0", "3-3-3"]  # your population, a list of texts

exercise("06.b").check(population)

# %% [markdown]
# **06.c** Write next_population(population, child) of ageing evolution; members are pairs (born, fitness).


# %%
def next_population(population, child):
    """Your code: a list of as many members as before."""


exercise("06.c").check(next_population)

# %% [markdown]
# ## 10. What the survey says, and what holds
#
# | The survey | What holds | Claim |
# |---|---|---|
# | New generation = selection + mutation + crossover. | The operators are applied one after the other, and survival is one of them. | section 1 |
# | AmoebaNet is an example, with elitism. | It has mutation only, and the oldest dies, the best one too. | 06.8 |
# | Elitism makes the average fitness increase. | No. It keeps the best from falling. The mean is safe under plus survival. | 06.1 to 06.3, 06.7 |
# | Evolution converges. | With a best that is kept, a mutation that reaches everything, and no noise: with probability 1, some time. | 06.9, 06.10 |
#
# ## References
#
# * Real, Aggarwal, Huang & Le, *Regularized Evolution for Image Classifier Architecture Search*, AAAI 2019,
#   arXiv:1802.01548.
# * Price, *Extension of Covariance Selection Mathematics*, Annals of Human Genetics 35, 1972.
# * Rudolph, *Convergence Analysis of Canonical Genetic Algorithms*, IEEE Transactions on Neural Networks 5, 1994.
# * Xie & Yuille, *Genetic CNN*, ICCV 2017, arXiv:1703.01513.

# %%
print("nbnas", nb.__version__, "numpy", np.__version__, "profile", params().name)
