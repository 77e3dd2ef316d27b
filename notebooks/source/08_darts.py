# %% [markdown]
# # DARTS on real data, and how it fails
#
# Train all networks at once as one mixture, move its shares by gradient descent, and keep the strongest option of each
# layer at the end. This is DARTS, hundreds of times cheaper than the first methods. It is also known for returning bad
# networks. Here we run it on a space whose 64 networks are all known, and look at what breaks.
#
# After this lesson you can
#
# 1. write a mixed operation and the two problems of DARTS, and say which data trains what,
# 2. measure what is lost when the mixture becomes one network, and which part of that is normalisation,
# 3. explain two ways in which a skip wins although it is not the better option.
#
# Before: lessons 05 and 06 for the space. Runs in 30 seconds on two CPU cores.

# %%
import numpy as np

import nbnas as nb
from nbnas.course import chart, claim, darts, digits64, exercise, params, show
from nbnas.course import skip_connections as skips

space = digits64.space()
settings = darts.SETTINGS
alone = dict(zip(digits64.measured().architectures, digits64.measured().valid[:, :, -1].mean(axis=0), strict=True))
print(space)
print("options of a layer:", ", ".join(space.rows[0].options))

# %% [markdown]
# **Predict.** A mixture of all options classifies about nine of ten digits correctly. We keep the strongest option of each
# layer, with the weights that it has. What is the accuracy of that network: about 0.9, about 0.75, or 0.6 and less?
#
# ## 1. One mixture, two problems
#
# Each layer computes all options $o$ and adds them up (Eq. 2 of the paper):
#
# $$\bar o(x) = \sum_{o} p_o\, o(x), \qquad p = \mathrm{softmax}(\alpha).$$
#
# The softmax matters: the shares are positive and sum to 1. Then there are *two* problems, one inside the other (Eqs.
# 3 and 4):
#
# $$\min_\alpha\; L_{\mathrm{valid}}\big(w^*(\alpha), \alpha\big) \quad\text{where}\quad
# w^*(\alpha) = \arg\min_w\; L_{\mathrm{train}}(w, \alpha).$$
#
# In words: the weights learn from one half of the training data; the shares are judged on the other half, which the
# weights have not seen. Nobody waits for $w^*$: a step on alpha and a step on the weights take turns.
#
# Does the library do so? We change all labels in one half and look at what moves differently.

# %%
influence = darts.influence()
for (half, what), moved in influence.items():
    print(f"{half}'s half of the labels {'moves' if moved else 'does not move'} {what}")
claim(
    "08.1",
    "Alpha's step depends on the labels of its own half only, and the step of the weights on those of the other half.",
    influence == {(half, what): half == what for half in ("alpha", "w") for what in ("alpha", "w")},
)

# %% [markdown]
# ## 2. Watch it
#
# A real search. *Architecture weights* shows the shares of each layer as they change. *Honesty* shows two accuracies, of
# the mixture and of the network that would be derived now, and the entropy of alpha, which is 1 while all shares are
# equal.
#
# The settings are those of the paper, except that batches have 32 images and alpha learns ten times as fast: in 12 epochs
# it makes about two hundred steps, where the authors made tens of thousands.

# %% [live]
run = nb.search(
    space,
    digits64.task(),
    settings,
    budget=nb.Budget(epochs=params().pick(3, 12, 25)),
    seed=0,
    name="DARTS on 64 networks",
)
run

# %% [live]
run.wait()
logged = [event.metrics for event in run.events if type(event).__name__ == "EpochFinished"]
epochs = range(1, len(logged) + 1)
show(
    chart(
        "The mixture and what is derived from it",
        "epoch",
        "accuracy on valid",
        lines={
            "mixture": (epochs, [one["mixed_valid_accuracy"] for one in logged]),
            "derived network, same weights": (epochs, [one["valid_accuracy"] for one in logged]),
        },
        y_range=(0, 1),
    ),
    "The mixture learns steadily; the network derived from it stays below, and does not follow.",
)

# %% [markdown]
# ## 3. Make it one network
#
# Now several seeds. After 12 epochs we take the strongest option of each layer (Sec. 2.4 of the paper) and let it keep
# the weights that it had in the mixture.

# %%
seeds = range(params().pick(2, 4, 12))
searched = [darts.search(seed) for seed in seeds]
found = [darts.discretised(one) for one in searched]
print("seed  derived  mixture  derived network  the same, trained alone")
for seed, one, result in zip(seeds, searched, found, strict=True):
    text = str(one.architecture)
    print(f"{seed:4}    {text}    {result.mixed:.3f}       {result.inherited:.3f}               {alone[text]:.3f}")

# %%
last = [one.shares[-1] for one in searched]
claim(
    "08.2",
    "What is derived is the option with the largest share in each layer.",
    all(
        list(one.architecture.choices) == np.argmax(shares, axis=1).tolist()
        for one, shares in zip(searched, last, strict=True)
    ),
)
gap = np.mean([one.mixed - one.inherited for one in found])
claim(
    "08.3",
    "Making the mixture one network costs more than 0.1 of accuracy on average.",
    gap > 0.1,
    kind="empirical",
    value=gap,
    threshold=0.1,
    margin_sd=2.8,  # 0.316 with standard deviation 0.109 over 24 seeds; two are averaged here
)

# %% [markdown]
# Why? In training each layer got a *sum* of all options of the layer before. Its weights are right for that sum. Now it
# gets one term of it, at full strength. And the shares are far from one and zero, so most of the sum is gone.
#
# The last column of the table is the other half of the story: trained alone, the same networks are good. So the accuracy
# with inherited weights tells little about an architecture.

# %%
worth = np.array([alone[str(one.architecture)] for one in searched])
lost = np.mean(worth - [one.inherited for one in found])
claim(
    "08.4",
    "Trained alone, the derived networks belong to the better half of the 64, more than 0.1 above what they inherited.",
    worth.min() > np.median(list(alone.values())) and lost > 0.1,
    kind="empirical",
    value=lost,
    threshold=0.1,
    margin_sd=4,  # 0.41 with standard deviation 0.110 over 24 seeds; two are averaged here
)

# %% [markdown]
# ## 4. How much of it is normalisation?
#
# Batch normalisation subtracts a mean and divides by a deviation. Whose? There are three answers:
#
# * **borrowed**: those that the *mixture* gathered in training. This is what happens when a trained supernet is put into
#   evaluation mode and only its shares are changed;
# * **recalibrated**: the derived network reads some training batches first, and nothing else of it changes;
# * **of the batch**: those of the very images that are classified. The library scores in this way.
#
# We have stored the same experiment for many seeds (`python -m nbnas.course.darts` makes it again).

# %%
stored = darts.measured().found
order = np.argsort([one.inherited for one in stored])
rank = range(1, len(stored) + 1)
show(
    chart(
        f"{len(stored)} searches, each made one network",
        "search, the worst derived network first",
        "accuracy on valid",
        dots={
            "mixture": (rank, [stored[place].mixed for place in order]),
            "derived, recalibrated": (rank, [stored[place].recalibrated for place in order]),
            "derived, borrowed statistics": (rank, [stored[place].borrowed for place in order]),
        },
        y_range=(0, 1),
    ),
    "Recalibration lifts the derived networks a good way, but in none of the searches up to the mixture.",
    height=360,
)

# %%
recovered = np.mean([one.recalibrated - one.borrowed for one in found])
remaining = np.mean([one.mixed - one.recalibrated for one in found])
print(f"borrowed to recalibrated: +{recovered:.2f}; from there to the mixture another +{remaining:.2f}")
claim(
    "08.5",
    "Recalibration wins back more than 0.1 of accuracy, and more than 0.1 is still missing.",
    recovered > 0.1 and remaining > 0.1,
    kind="empirical",
    value=min(recovered, remaining),
    threshold=0.1,
    margin_sd=2.8,  # 0.346 and 0.317, sd 0.103 and 0.109 over 24 seeds; two are averaged here
)

# %% [markdown]
# ## 5. Is the largest share the most important option?
#
# One can ask the supernet directly: take an option away, let the others of its layer grow to the same sum, and see how
# much accuracy is lost (Wang et al., 2021). Layer by layer, keep the option that would be missed most.

# %%
every = darts.measured()
pairs = [
    list(zip(*(text.split("-") for text in texts), strict=True))
    for texts in zip(every.argmax, every.removal, strict=True)
]
differ = np.mean([a != b for pair in pairs for a, b in pair])
print(f"{len(pairs)} searches; the two rules differ in {differ:.0%} of the layers")
by_removal = np.array(every.removal_inherited) - [one.inherited for one in stored]
print(f"removal inherits more in {(by_removal > 0).sum()}, less in {(by_removal < 0).sum()}")
for name, texts in {"largest share": every.argmax, "removal": every.removal}.items():
    print(f"{name:14} trained alone {np.mean([alone[text] for text in texts]):.3f}")
ranks = [np.argsort(np.argsort(values)) for values in (every.eigenvalue, [one.mixed - one.inherited for one in stored])]
print(f"rank correlation of the largest eigenvalue with the gap: {np.corrcoef(*ranks)[0, 1]:.2f}")

# %% [markdown]
# The share is not the importance: the two disagree in many layers. The network by removal inherits more accuracy, but it
# was chosen for that. Trained alone, it is no better than the other here, so we claim nothing.
#
# The last line is about another warning sign, the largest eigenvalue of the Hessian of the loss with respect to alpha
# (Zela et al., 2020): a sharp minimum is one that does not survive being made discrete. The view of section 2 shows it.
# Over our 24 seeds, which differ little, it foretells the gap only weakly.
#
# ## 6. How skips win, first way: a noisy rival
#
# On larger tasks DARTS is known to fill its cells with skips. On our digits it does not: the layers are few and the task
# is easy. So we look at the mechanism in places where it can be seen exactly.
#
# Let a skip and a convolution both be right on average, with independent errors of standard deviation $s_x$ and $s_o$.
# The mixture $\theta\,\mathrm{skip} + (1-\theta)\,\mathrm{conv}$ has the error $\theta^2 s_x^2 + (1-\theta)^2 s_o^2$,
# which is smallest at
#
# $$\theta^* = \frac{s_o^2}{s_x^2 + s_o^2}.$$
#
# In words: the share of the skip is the part that the *convolution* has of all the noise. Early in training the
# convolution is noisy. Then the best mixture is mostly skip, however good the convolution will be.

# %%
grid = np.linspace(0, 1, 100_001)
noise = [0.25, 0.5, 1.0, 2.0, 4.0]
by_grid = [grid[skips.expected_loss(grid, 1.0, other).argmin()] for other in noise]
by_formula = [skips.best_share(1.0, other) for other in noise]
claim(
    "08.6",
    "The best share of the skip is the other option's part of the squared errors, to the width of a grid.",
    np.abs(np.subtract(by_grid, by_formula)).max() <= 1e-5,
    value=float(np.abs(np.subtract(by_grid, by_formula)).max()),
    threshold=1e-5,
)
dense = np.geomspace(0.25, 4, 60)
show(
    chart(
        "Best share of the skip while the convolution is noisy",
        "error of conv over error of skip",
        "share of the skip",
        lines={"formula": (dense, [skips.best_share(1.0, other) for other in dense])},
        dots={"grid": (noise, by_grid)},
        y_range=(0, 1),
    ),
    "A convolution with twice the error of the skip gets a fifth of the mixture, one with half of it four fifths.",
)

# %% [markdown]
# ## 7. Second way: a race
#
# Now let both learn. A skip multiplies by a fixed $c < 1$; a convolution multiplies by $w$, which starts at 0. The target
# is $y = x$. Alone, the convolution reaches it perfectly, and the skip never does:
#
# $$y = p_{\mathrm{skip}}\, c\, x + p_{\mathrm{conv}}\, w\, x .$$
#
# How fast alpha learns, compared with $w$, is the only thing that we change.

# %%
ratios = np.geomspace(0.1, 100, 31)
strengths = (0.2, 0.5, 0.8)
ends = skips.flow(np.array(strengths)[:, None], ratios, 20.0, step=0.05).skip
show(
    chart(
        "Who has won after time 20",
        "log10 of the ratio of learning rates",
        "share of the skip",
        lines={f"c = {c}": (np.log10(ratios), end) for c, end in zip(strengths, ends, strict=True)},
        y_range=(0, 1),
    ),
    "The faster alpha learns, the more extreme the end: a useful skip wins, a weak one loses, one between tips over.",
)

# %%
corners = skips.flow([0.8, 0.8, 0.2], [10.0, 0.1, 10.0], 20.0)
for name, share, loss in zip(("useful, fast", "useful, slow", "weak, fast"), corners.skip, corners.loss, strict=True):
    print(f"skip {name:13} share of the skip {share:.3f}, loss {loss:.5f}")

# %%
claim(
    "08.7",
    "Where alpha learns ten times as fast, a skip of 0.8 takes over and leaves a loss; a tenth as fast, or with a skip "
    "of 0.2, the convolution learns and the loss goes to zero.",
    corners.skip[0] > 0.95 and corners.loss[0] > 0.02 and max(corners.skip[1:]) < 0.6 and max(corners.loss[1:]) < 1e-4,
    value=float(corners.skip[0]),
    threshold=0.95,
)

# %%
kept = skips.conserved(corners.skip, corners.weight, [0.8, 0.8, 0.2], [10.0, 0.1, 10.0])
claim(
    "08.8",
    "Along the way a - exp(-a) + 1 - ratio (2 c w - w²), with a = log(p_skip / p_conv), stays zero.",
    np.abs(kept).max() < 1e-6,
    value=np.abs(kept).max(),
    threshold=1e-6,
)

# %% [markdown]
# The quantity of claim 08.8 says more: the skip gains as long as $w < c$, and loses afterwards. So its victory is not for
# ever. But with a share of 0.99 it leaves the convolution a hundredth of the gradient, and searches end.
#
# A remedy is to let $w$ learn alone at first (`alpha_after`). Try it here.

# %%
warmed = skips.flow(0.8, 10.0, 20.0, warm_up=120.0, step=0.05)
print(f"after a warm-up: share of the skip {float(warmed.skip):.6f}, loss {float(warmed.loss):.1e}")
claim(
    "08.9",
    "After a warm-up the mixture fits perfectly, so alpha gets no gradient and stays at one half.",
    abs(float(warmed.skip) - 0.5) < 1e-9 and float(warmed.loss) < 1e-18,
    value=abs(float(warmed.skip) - 0.5),
    threshold=1e-9,
)

# %% [markdown]
# So the collapse is gone, and so is the answer: *any* shares fit perfectly with some $w$. Alpha cannot tell the options
# apart. Its size is a matter of the race and not of what the options are worth.
#
# ## 8. What skips cost on real data
#
# NAS-Bench-201 has 15,625 cells of six edges, each trained on CIFAR-10 for 200 epochs. We only need the means by number
# of skips.

# %%
table = skips.skip_table()
for count, (cells, mean, top) in enumerate(zip(table.cells, table.mean, table.best, strict=True)):
    print(f"{count} skips: {cells:5} cells, mean {mean:.2f} %, best {top:.2f} %")
show(
    chart(
        "Accuracy on CIFAR-10 by number of skips",
        "skips among the six edges",
        "accuracy on test (%)",
        lines={"mean": (range(7), table.mean), "best": (range(7), table.best)},
        y_range=(40, 100),
    ),
    "Up to two skips do no harm; from there on the mean falls, faster with each, down to 54 percent.",
)

# %%
claim(
    "08.10",
    "From two skips on the mean accuracy of NAS-Bench-201 falls with every further skip, as does the best.",
    all(np.diff(table.mean[2:]) < 0) and all(np.diff(table.best[2:]) < 0) and sum(table.cells) == 15_625,
    kind="empirical",
)
print(f"the cell of six skips: {table.mean[6]:.2f} %, rank {table.rank:,} of {sum(table.cells):,}")

# %% [markdown]
# That last cell has a history. The authors of NAS-Bench-201 ran DARTS on their space and report that what it found has
# 54.30 percent. It is the accuracy of the cell of six skips, to the last digit.
#
# ## 9. Exercises
#
# Each checks itself: run the cell, read what is wrong, try again. `exercise("08.a").hint(1)` helps, up to `hint(3)`.
#
# **08.a** Write mixed(outputs, alpha): the output of one mixed operation; outputs has shape (options, …).


# %%
def mixed(outputs, alpha):
    """Your code: an array of the shape of one output."""


exercise("08.a").check(mixed)

# %% [markdown]
# **08.b** Write step(alpha, w, train, valid, gradient, rate_alpha, rate_w): one round of first-order DARTS.
#
# Return the new pair (alpha, w). `gradient(alpha, w, data)` gives the gradients for both, on the data that you choose.


# %%
def step(alpha, w, train, valid, gradient, rate_alpha, rate_w):
    """Your code: the new alpha and the new w."""


exercise("08.b").check(step)

# %% [markdown]
# **08.c** Write select(shares, accuracy): layer by layer, keep the option whose removal costs most accuracy.
#
# `shares` has shape (layers, options); `accuracy(shares)` asks the supernet. Return one number a layer.


# %%
def select(shares, accuracy):
    """Your code: the option of each layer."""


exercise("08.c").check(select)

# %% [markdown]
# ## 10. What the survey says, and what holds
#
# | The survey | What holds | Claim |
# |---|---|---|
# | A mixed operation is the sum of alpha times the operations. | The shares are softmax(alpha). Even so their size is not the strength of an option. | 08.9 |
# | The loss is that of train, plus a weight times complexity. | Alpha learns from data that the weights do not see. A term for complexity came with other methods. | 08.1 |
# | Gradient-based search converges. | To what? Here the same flow ends at good and at bad networks, and stands still where alpha says nothing. | 08.7, 08.9 |
#
# ## References
#
# * Liu, Simonyan & Yang, *DARTS: Differentiable Architecture Search*, ICLR 2019, arXiv:1806.09055.
# * Zela, Elsken, Saikia, Marrakchi, Brox & Hutter, *Understanding and Robustifying Differentiable Architecture Search*,
#   ICLR 2020, arXiv:1909.09656.
# * Wang, Cheng, Chen, Tang & Hsieh, *Rethinking Architecture Selection in Differentiable NAS*, ICLR 2021,
#   arXiv:2108.04392.
# * Dong & Yang, *NAS-Bench-201*, ICLR 2020, arXiv:2001.00326.

# %%
print("nbnas", nb.__version__, "numpy", np.__version__, "profile", params().name)
