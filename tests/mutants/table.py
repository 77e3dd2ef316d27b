"""Deliberately broken variants of the code, each with the test that must see it.

A mutant that no test can see is either an equivalent of the code or a hole in the tests. Here are the ways in which an
algorithm goes wrong and still looks right: it runs, it keeps every promise of a strategy, and it is another algorithm.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["MARK", "MUTANTS", "Mutant"]

MARK = "mutant-report:"
"""Begins a line that says how a test failed."""


class Mutant(NamedTuple):
    """One change of the code.

    Attributes:
        says: what is wrong with it, in one sentence.
        file: inside of the package.
        old: what stands there, exactly once.
        new: what is put in its place.
        test: the test that must fail by an assertion.
    """

    says: str
    file: str
    old: str
    new: str
    test: str


_TESTS = "tests/strategies/test_"
_EVOLUTION = "strategies/regularized_evolution.py"
_GENETIC = "strategies/genetic_algorithm.py"
_LOCAL = "strategies/local_search.py"
_GRID = "strategies/grid_search.py"
_NSGA2 = "strategies/nsga2.py"
_REINFORCE = "strategies/reinforce.py"
_POLICIES = "strategies/policies.py"
_PPO = "strategies/ppo.py"
_Q = "strategies/q_learning.py"
_RELAXED = "strategies/relaxed.py"
_UNROLLED = "strategies/unrolled.py"
_GDAS = "strategies/gdas.py"
_FAIR_DARTS = "strategies/fair_darts.py"
_DRNAS = "strategies/drnas.py"
_FBNET = "strategies/fbnet.py"
_BANANAS = "strategies/bananas.py"
_MIXTURES = "networks/mixtures.py"
_SHARED = "evaluators/shared_weights.py"

MUTANTS = [
    # -- regularized evolution -----------------------------------------------------------------------------------------
    Mutant(
        "Not the oldest dies but the youngest.",
        _EVOLUTION,
        "return self.population.popleft()",
        "return self.population.pop()",
        f"{_TESTS}regularized_evolution.py::test_ageing_kills_the_oldest_even_when_it_is_the_best",
    ),
    Mutant(
        "Not the oldest dies but the worst: evolution without ageing.",
        _EVOLUTION,
        "        if self.settings.ageing:\n            return self.population.popleft()",
        "        if False:\n            return self.population.popleft()",
        f"{_TESTS}regularized_evolution.py::test_ageing_kills_the_oldest_even_when_it_is_the_best",
    ),
    Mutant(
        "The least fit of the tournament becomes parent.",
        _EVOLUTION,
        "parent = max(sample, key=",
        "parent = min(sample, key=",
        f"{_TESTS}regularized_evolution.py::test_the_tournament_draws_with_replacement",
    ),
    Mutant(
        "The tournament draws without replacement.",
        _EVOLUTION,
        "self.rng.integers(len(self.population), size=self.settings.tournament)",
        "self.rng.choice(len(self.population), size=self.settings.tournament, replace=False)",
        f"{_TESTS}regularized_evolution.py::test_the_tournament_draws_with_replacement",
    ),
    Mutant(
        "A child is a copy of its parent.",
        _EVOLUTION,
        'return self.space.mutate(parent, self.rng), "mutation"',
        'return parent, "mutation"',
        f"{_TESTS}regularized_evolution.py::test_the_first_members_are_random_and_all_others_are_mutated_children",
    ),
    # -- genetic algorithm ---------------------------------------------------------------------------------------------
    Mutant(
        "In (mu, lambda) parents compete with their children, so that the best is kept.",
        _GENETIC,
        'self.population if self.settings.survival == "plus" else []',
        "self.population",
        f"{_TESTS}genetic_algorithm.py::test_who_survives",
    ),
    Mutant(
        "In (mu + lambda) parents do not compete.",
        _GENETIC,
        'self.population if self.settings.survival == "plus" else []',
        "[]",
        f"{_TESTS}genetic_algorithm.py::test_who_survives",
    ),
    Mutant(
        "There is no elite.",
        _GENETIC,
        "_best(self.population)[: self.settings.elitism] + self.children",
        "self.population[: self.settings.elitism] + self.children",
        f"{_TESTS}genetic_algorithm.py::test_the_best_is_never_lost_with_an_elite_or_plus",
    ),
    Mutant(
        "Roulette ignores fitness.",
        _GENETIC,
        "else _shares(weights / weights.max())",
        "else np.full(count, 1 / count)",
        f"{_TESTS}genetic_algorithm.py::test_selection_has_its_closed_form",
    ),
    Mutant(
        "The tournament has one member too many.",
        _GENETIC,
        "((rank + 1) / count) ** self.tournament - (rank / count) ** self.tournament",
        "((rank + 1) / count) ** (self.tournament + 1) - (rank / count) ** (self.tournament + 1)",
        f"{_TESTS}genetic_algorithm.py::test_selection_has_its_closed_form",
    ),
    Mutant(
        "Linear ranking favours the worst.",
        _GENETIC,
        "2 * (self.pressure - 1) * rank / max",
        "2 * (self.pressure - 1) * rank[::-1] / max",
        f"{_TESTS}genetic_algorithm.py::test_selection_has_its_closed_form",
    ),
    Mutant(
        "Truncation keeps the worst.",
        _GENETIC,
        "(rank >= count - best)",
        "(rank < best)",
        f"{_TESTS}genetic_algorithm.py::test_selection_has_its_closed_form",
    ),
    Mutant(
        "One-point crossover is uniform crossover.",
        _GENETIC,
        "return [place < cut for place in range(len(decisions))]",
        "return [bool(coin) for coin in self.rng.random(len(decisions)) < 0.5]",
        f"{_TESTS}genetic_algorithm.py::test_what_a_child_inherits",
    ),
    Mutant(
        "One-point crossover never cuts before the last decision.",
        _GENETIC,
        "self.rng.integers(1, len(self._open))",
        "self.rng.integers(1, len(self._open) - 1)",
        f"{_TESTS}genetic_algorithm.py::test_what_a_child_inherits",
    ),
    Mutant(
        "Crossover by groups tears groups apart.",
        _GENETIC,
        "return [coins[decision.group or decision.name] for decision in decisions]",
        "return [bool(self.rng.random() < 0.5) for _ in decisions]",
        f"{_TESTS}genetic_algorithm.py::test_what_a_child_inherits",
    ),
    Mutant(
        "Both parents are the same member.",
        _GENETIC,
        "second = self._parent() if crossed else first",
        "second = first",
        f"{_TESTS}genetic_algorithm.py::test_what_a_child_inherits",
    ),
    Mutant(
        "A mutation may leave the choice as it is, and never reaches the last option.",
        _GENETIC,
        "choices[place] = new + (new >= old)",
        "choices[place] = new",
        f"{_TESTS}genetic_algorithm.py::test_a_mutation_goes_to_each_other_option_alike",
    ),
    # -- local search, grid search -------------------------------------------------------------------------------------
    Mutant(
        "Local search moves to a worse neighbour.",
        _LOCAL,
        "if self._score(text) > here), None)",
        "if text in self.known and self.known[text][0] > self.known[self.current][0]), None)",
        f"{_TESTS}local_search.py::test_it_moves_to_the_first_neighbour_that_is_better",
    ),
    Mutant(
        "Steepest ascent takes the first better neighbour.",
        _LOCAL,
        "best = self._best(self.neighbours) if self._all_known(self.neighbours) else None",
        "best = next((t for t in self.neighbours if self._score(t) > here), None) "
        "if self._all_known(self.neighbours) else None",
        f"{_TESTS}local_search.py::test_it_moves_to_the_best_of_all_neighbours",
    ),
    Mutant(
        "The climb starts at the worst of the first draws.",
        _LOCAL,
        "best = self._best(self.starts)",
        "best = min(self.starts, key=self._score)",
        f"{_TESTS}local_search.py::test_it_starts_at_the_best_of_the_first_random_ones",
    ),
    Mutant(
        "Neighbours are evaluated in the order of the space.",
        _LOCAL,
        "[around[place] for place in self.rng.permutation(len(around))]",
        "around",
        f"{_TESTS}local_search.py::test_neighbours_are_evaluated_in_a_random_order",
    ),
    Mutant(
        "The grid skips its first architecture.",
        _GRID,
        "self.position = 0",
        "self.position = 1",
        f"{_TESTS}grid_search.py::test_lexicographic_order_is_that_of_the_enumeration",
    ),
    Mutant(
        "The shuffled grid is not shuffled.",
        _GRID,
        'self.shuffled = settings.order == "shuffled"',
        "self.shuffled = False",
        f"{_TESTS}grid_search.py::test_shuffled_is_each_architecture_once_in_an_order_of_the_seed",
    ),
    # -- NSGA-II -------------------------------------------------------------------------------------------------------
    Mutant(
        "Survival ignores crowding.",
        _NSGA2,
        "key=lambda index: -crowding[index]",
        "key=lambda index: index",
        f"{_TESTS}facts_nsga2.py::test_of_a_front_that_does_not_fit_the_least_crowded_survive",
    ),
    Mutant(
        "The tournament ignores crowding.",
        _NSGA2,
        "(self._order[place][0], -self._order[place][1])",
        "self._order[place][0]",
        f"{_TESTS}facts_nsga2.py::test_the_tournament_is_won_by_rank_and_then_by_room",
    ),
    Mutant(
        "The tournament is won by the worse rank.",
        _NSGA2,
        "(self._order[place][0], -self._order[place][1])",
        "(-self._order[place][0], -self._order[place][1])",
        f"{_TESTS}facts_nsga2.py::test_the_tournament_is_won_by_rank_and_then_by_room",
    ),
    Mutant(
        "The ends of a front are as crowded as can be.",
        _NSGA2,
        'distances[order[0]] = distances[order[-1]] = float("inf")',
        "distances[order[0]] = distances[order[-1]] = 0.0",
        f"{_TESTS}nsga2.py::test_crowding_is_the_sum_of_the_gaps_between_neighbours",
    ),
    Mutant(
        "Parents do not survive their children: no elitism.",
        _NSGA2,
        "pool, self.children = self.parents + self.children, []",
        "pool, self.children = self.children, []",
        f"{_TESTS}nsga2.py::test_survival_takes_whole_fronts_and_then_the_least_crowded",
    ),
    Mutant(
        "Constraints are ignored.",
        "front.py",
        "if violations[0] != violations[1]:",
        "if False:",
        f"{_TESTS}nsga2.py::test_what_keeps_the_constraints_comes_first",
    ),
    Mutant(
        "Equal objectives dominate each other.",
        "front.py",
        "all(a >= b for a, b in pairs) and any(a > b for a, b in pairs)",
        "all(a >= b for a, b in pairs)",
        "tests/test_objectives.py::test_domination",
    ),
    # -- policy gradients ----------------------------------------------------------------------------------------------
    Mutant(
        "The gradient of log pi is the one-hot choice instead of one-hot minus pi.",
        _POLICIES,
        "log_probability = log_probability + row[choice]",
        "log_probability = log_probability + logits[choice] + (row[choice] - logits[choice]).detach()",
        f"{_TESTS}reinforce.py::test_the_mean_step_over_all_architectures_is_the_gradient_of_the_expected_score",
    ),
    Mutant(
        "The temperature multiplies the logits.",
        _POLICIES,
        "logits = logits / self.temperature",
        "logits = logits * self.temperature",
        f"{_TESTS}facts_policies.py::test_logits_are_divided_by_the_temperature_and_then_bounded",
    ),
    Mutant(
        "The logits are bounded before the temperature divides them.",
        _POLICIES,
        "self.tanh_constant * logits.tanh()",
        "self.tanh_constant * (logits * self.temperature).tanh() / self.temperature",
        f"{_TESTS}facts_policies.py::test_logits_are_divided_by_the_temperature_and_then_bounded",
    ),
    Mutant(
        "The tanh constant is ignored.",
        _POLICIES,
        "if self.tanh_constant:",
        "if False:",
        f"{_TESTS}ppo.py::test_temperature_and_tanh_constant_shape_the_policy",
    ),
    Mutant(
        "The LSTM does not see what was chosen before.",
        _POLICIES,
        "return self.embeddings[place][choice], *memory[1:]",
        "return memory",
        f"{_TESTS}policies.py::test_later_rows_of_the_lstm_depend_on_earlier_choices",
    ),
    Mutant(
        "The entropy of a row has the wrong sign.",
        _POLICIES,
        "entropy = entropy - (row.exp() * row).sum()",
        "entropy = entropy + (row.exp() * row).sum()",
        f"{_TESTS}policies.py::test_the_entropy_of_independent_rows_is_exact_in_every_walk",
    ),
    Mutant(
        "REINFORCE without its baseline.",
        _REINFORCE,
        "-(reward - baseline) * walk.log_probability",
        "-reward * walk.log_probability",
        f"{_TESTS}reinforce.py::test_the_first_answer_moves_nothing_without_entropy",
    ),
    Mutant(
        "REINFORCE descends.",
        _REINFORCE,
        "-(reward - baseline) * walk.log_probability",
        "(reward - baseline) * walk.log_probability",
        f"{_TESTS}reinforce.py::test_the_mean_step_over_all_architectures_is_the_gradient_of_the_expected_score",
    ),
    Mutant(
        "The baseline is biased towards its start.",
        _REINFORCE,
        "return self.total / self.weight",
        "return self.total",
        f"{_TESTS}reinforce.py::test_the_baseline_is_the_average_without_bias_and_takes_in_the_reward_first",
    ),
    Mutant(
        "Entropy is punished.",
        _REINFORCE,
        "- self.settings.entropy_weight * walk.entropy",
        "+ self.settings.entropy_weight * walk.entropy",
        f"{_TESTS}reinforce.py::test_the_entropy_bonus_ascends_the_entropy",
    ),
    # -- PPO -----------------------------------------------------------------------------------------------------------
    Mutant(
        "The baseline takes in the reward that it is compared with.",
        _PPO,
        "self.batch.append((text, known, reward - before))",
        "self.batch.append((text, known, reward - self.baseline))",
        f"{_TESTS}ppo.py::test_the_first_step_is_that_of_reinforce",
    ),
    Mutant(
        "The ratio forgets the policy that proposed.",
        _PPO,
        "ratio = (walk.log_probability - old).exp()",
        "ratio = (walk.log_probability - walk.log_probability.detach()).exp()",
        f"{_TESTS}facts_ppo.py::test_a_step_is_the_ratio_to_the_old_policy_times_that_of_reinforce",
    ),
    Mutant(
        "Nothing is clipped.",
        _PPO,
        "torch.minimum(ratio * advantage, clipped * advantage)",
        "ratio * advantage",
        f"{_TESTS}ppo.py::test_the_surrogate_is_clipped_on_the_side_of_gain_only",
    ),
    Mutant(
        "It is clipped on the side of loss too.",
        _PPO,
        "torch.minimum(ratio * advantage, clipped * advantage)",
        "clipped * advantage",
        f"{_TESTS}ppo.py::test_the_surrogate_is_clipped_on_the_side_of_gain_only",
    ),
    Mutant(
        "PPO punishes entropy.",
        _PPO,
        "-surrogate - settings.entropy_weight * walk.entropy",
        "-surrogate + settings.entropy_weight * walk.entropy",
        f"{_TESTS}facts_ppo.py::test_the_entropy_bonus_flattens_the_policy",
    ),
    Mutant(
        "PPO learns from each reward alone.",
        _PPO,
        "if len(self.batch) >= self.settings.batch:",
        "if self.batch:",
        f"{_TESTS}ppo.py::test_nothing_moves_before_the_batch_is_full",
    ),
    # -- Q-learning ----------------------------------------------------------------------------------------------------
    Mutant(
        "The target is the value of the choice that followed, not of the best (SARSA).",
        _Q,
        "            following = values\n",
        "            following = [values[choice]]\n",
        f"{_TESTS}q_learning.py::test_the_target_is_the_best_that_can_follow_not_what_did_follow",
    ),
    Mutant(
        "Epsilon rises.",
        _Q,
        "for epsilon, count in EPSILONS:",
        "for epsilon, count in reversed(EPSILONS):",
        f"{_TESTS}q_learning.py::test_the_schedule_is_that_of_table_2",
    ),
    Mutant(
        "The past is not learnt again.",
        _Q,
        "size=self.settings.replay",
        "size=0",
        f"{_TESTS}q_learning.py::test_replay_learns_the_past_again",
    ),
    Mutant(
        "The reward travels one decision a trial.",
        _Q,
        "target = reward if following is None else discount * max(following)",
        "target = reward if following is None else discount * self.settings.initial",
        f"{_TESTS}q_learning.py::test_one_update_is_equation_3_from_the_last_choice_to_the_first",
    ),
    Mutant(
        "The greedy choice is the one of least value.",
        _Q,
        "np.flatnonzero(values == values.max())",
        "np.flatnonzero(values == values.min())",
        f"{_TESTS}q_learning.py::test_with_epsilon_0_it_takes_the_highest_value_and_with_1_anything",
    ),
    Mutant(
        "Epsilon is the share of greedy choices.",
        _Q,
        "if rng.random() < epsilon:",
        "if rng.random() >= epsilon:",
        f"{_TESTS}q_learning.py::test_with_epsilon_0_it_takes_the_highest_value_and_with_1_anything",
    ),
    # -- BANANAS -------------------------------------------------------------------------------------------------------
    Mutant(
        "The least promising candidates are proposed.",
        _BANANAS,
        'np.argsort(-worth, kind="stable")',
        'np.argsort(worth, kind="stable")',
        f"{_TESTS}bananas.py::test_it_comes_nearer_to_the_best_of_a_linear_table_than_random_search",
    ),
    Mutant(
        "Candidates are mutants of the worst.",
        _BANANAS,
        "key=lambda one: (-one.score, one.trial)",
        "key=lambda one: (one.score, one.trial)",
        f"{_TESTS}bananas.py::test_candidates_are_mutants_of_the_best",
    ),
    Mutant(
        "Thompson sampling draws one quantile for all candidates.",
        "strategies/acquisition.py",
        "rng.standard_normal(len(mean))",
        "rng.standard_normal()",
        f"{_TESTS}acquisition.py::test_thompson_draws_have_mean_and_deviation_of_the_ensemble_and_are_independent",
    ),
    Mutant(
        "Expected improvement does not see uncertainty.",
        "strategies/acquisition.py",
        "above * ndtr(ratio) + deviation * density",
        "above * ndtr(ratio)",
        f"{_TESTS}acquisition.py::test_expected_improvement_is_the_integral",
    ),
    # -- DARTS and mixtures --------------------------------------------------------------------------------------------
    Mutant(
        "Alpha is trained on the data of w.",
        _RELAXED,
        "alpha_losses.append(self.alpha_step(alpha_batch, w_batch))",
        "alpha_losses.append(self.alpha_step(w_batch, w_batch))",
        f"{_TESTS}darts.py::test_alpha_moves_with_the_alpha_half_alone",
    ),
    Mutant(
        "The step size of w falls in a line.",
        _RELAXED,
        "0.5 * (first - last) * (1 + math.cos(math.pi * part))",
        "(first - last) * (1 - part)",
        f"{_TESTS}darts.py::test_the_learning_rate_of_w_is_the_cosine_of_the_paper",
    ),
    Mutant(
        "The temperature of GDAS stays where it is.",
        _GDAS,
        "self.temperature = first + (last - first) * part",
        "self.temperature = first",
        f"{_TESTS}gdas.py::test_the_temperature_falls_in_a_line_from_10_to_01",
    ),
    Mutant(
        "Alpha learns nothing from what was drawn.",
        _GDAS,
        "share = 1.0 + (soft[place] - soft[place].detach())",
        "share = 1.0 + 0.0 * soft[place]",
        f"{_TESTS}gdas.py::test_the_gradient_is_the_straight_through_one_in_closed_form",
    ),
    Mutant(
        "GDAS takes the strongest operation instead of drawing one.",
        _GDAS,
        "place = int(soft.argmax())",
        "place = int(self.alpha[name].argmax())",
        f"{_TESTS}gdas.py::test_an_option_is_drawn_with_probability_softmax_of_alpha_at_any_temperature",
    ),
    Mutant(
        "Second order is first order at w one step ahead: the mixed derivative is left out.",
        _UNROLLED,
        "part - xi * _or_zero(other, part)",
        "part",
        f"{_TESTS}unrolled.py::test_the_gradient_is_the_analytic_hypergradient_of_a_quadratic",
    ),
    Mutant(
        "The finite difference has the wrong sign.",
        _UNROLLED,
        "part - xi * (_or_zero(plus, part)",
        "part + xi * (_or_zero(plus, part)",
        f"{_TESTS}unrolled.py::test_the_gradient_is_the_analytic_hypergradient_of_a_quadratic",
    ),
    Mutant(
        "The step ahead goes uphill.",
        _UNROLLED,
        "for part, own in zip(step, w, strict=True)], -xi):",
        "for part, own in zip(step, w, strict=True)], xi):",
        f"{_TESTS}unrolled.py::test_the_gradient_is_the_analytic_hypergradient_of_a_quadratic",
    ),
    Mutant(
        "P-DARTS drops the strongest options.",
        "strategies/pdarts.py",
        "key=lambda place: -shares[place])[:count]",
        "key=lambda place: shares[place])[:count]",
        f"{_TESTS}pdarts.py::test_the_weakest_options_of_each_row_are_dropped_and_do_not_come_back",
    ),
    Mutant(
        "Perturbation keeps the option whose removal costs least.",
        "strategies/perturbation.py",
        "whole - _accuracy(strategy, {**mixture",
        "_accuracy(strategy, {**mixture",
        f"{_TESTS}perturbation.py::test_the_option_that_carries_the_accuracy_is_derived_although_its_alpha_is_the_smallest",
    ),
    Mutant(
        "FairDARTS weighs options by a softmax, so that they compete.",
        _FAIR_DARTS,
        "{name: row.sigmoid() for name, row in self.alpha.items()}",
        "{name: row.softmax(dim=0) for name, row in self.alpha.items()}",
        f"{_TESTS}fair_darts.py::test_raising_one_weight_leaves_the_others_where_a_softmax_would_lower_them",
    ),
    Mutant(
        "The zero-one loss pulls weights to one half.",
        _FAIR_DARTS,
        "return -((torch.cat(",
        "return ((torch.cat(",
        f"{_TESTS}fair_darts.py::test_the_zero_one_loss_pushes_weights_away_from_one_half_to_the_nearer_end",
    ),
    Mutant(
        "FairDARTS derives what is below the threshold.",
        _FAIR_DARTS,
        "max(real, default=0.0) < self.settings.threshold",
        "max(real, default=0.0) < 0.0",
        f"{_TESTS}fair_darts.py::test_derive_takes_what_is_at_the_threshold_and_none_elsewhere",
    ),
    Mutant(
        "The mixture of DrNAS is a softmax instead of the mean of what is drawn.",
        _DRNAS,
        "{name: row / row.sum() for name, row in self.beta().items()}",
        "{name: row.softmax(dim=0) for name, row in self.alpha.items()}",
        f"{_TESTS}drnas.py::test_the_mean_of_what_is_drawn_is_the_concentration_over_its_sum",
    ),
    Mutant(
        "The anchor of DrNAS pushes away from the uniform distribution.",
        _DRNAS,
        "+ self.settings.anchor_weight * distance",
        "- self.settings.anchor_weight * distance",
        f"{_TESTS}drnas.py::test_the_anchor_alone_leads_back_to_the_uniform_distribution",
    ),
    Mutant(
        "The cost of FBNet is added to the loss instead of multiplied with it.",
        _FBNET,
        "(loss * self.factor(masks)).backward()",
        "(loss + self.factor(masks)).backward()",
        f"{_TESTS}fbnet.py::test_the_step_on_alpha_follows_the_product_rule",
    ),
    Mutant(
        "The temperature of FBNet rises.",
        _FBNET,
        "math.exp(-self.settings.temperature_decay * published)",
        "math.exp(self.settings.temperature_decay * published)",
        f"{_TESTS}fbnet.py::test_the_temperature_falls_exponentially_over_90_epochs_scaled_to_the_budget",
    ),
    Mutant(
        "The edges into a node do not compete in PC-DARTS.",
        "strategies/pc_darts.py",
        'self.alpha[f"beta/{node}"].softmax(dim=0).unbind()',
        'self.alpha[f"beta/{node}"].sigmoid().unbind()',
        f"{_TESTS}pc_darts.py::test_the_weights_of_the_edges_into_each_node_sum_to_one",
    ),
    Mutant(
        "Other channels bypass the operations of PC-DARTS than those that do not pass them.",
        "networks/partial_channels.py",
        "rest: Tensor = self.pool(x[:, self.first :])",
        "rest: Tensor = self.pool(x[:, : -self.first])",
        "tests/networks/test_partial_channels.py::test_the_first_share_passes_the_operations_and_the_rest_is_unchanged",
    ),
    Mutant(
        "What is derived may be `none`.",
        "spaces/component.py",
        'real = [option for option in row.options if option != "none"] or list(row.options)',
        "real = list(row.options)",
        f"{_TESTS}darts.py::test_derive_takes_the_strongest_operation_but_never_none",
    ),
    Mutant(
        "The mixture is alpha itself, without softmax.",
        _MIXTURES,
        "{name: row.softmax(dim=0) for name, row in alpha.items()}",
        "dict(alpha.items())",
        "tests/networks/test_mixtures.py::test_softmax_rows_sum_to_one",
    ),
    Mutant(
        "Hard Gumbel has no gradient, instead of the straight-through one.",
        _MIXTURES,
        "soft = drawn + (soft - soft.detach())",
        "soft = drawn + 0.0 * soft",
        "tests/networks/test_mixtures.py::test_hard_gumbel_is_exactly_one_hot_with_the_gradient_of_the_soft_one",
    ),
    Mutant(
        "The temperature multiplies, so that a cold mixture is uniform.",
        _MIXTURES,
        "((row + noise) / temperature)",
        "((row + noise) * temperature)",
        "tests/networks/test_mixtures.py::test_temperature_goes_to_one_hot_and_to_uniform",
    ),
    Mutant(
        "The noise has the sign of the smallest instead of the largest: no Gumbel noise.",
        _MIXTURES,
        "noise = -uniform.exponential_(generator=generator).log()",
        "noise = uniform.exponential_(generator=generator).log()",
        "tests/networks/test_mixtures.py::test_gumbel_draws_from_softmax_of_alpha",
    ),
    # -- objectives and shared weights ---------------------------------------------------------------------------------
    Mutant(
        "MnasNet's reward grows with the cost.",
        "objectives.py",
        "(cost / self.target) ** exponent",
        "(cost / self.target) ** -exponent",
        "tests/test_objectives.py::test_the_reward_of_mnasnet",
    ),
    Mutant(
        "MnasNet's exponents are exchanged.",
        "objectives.py",
        "exponent = self.alpha if cost <= self.target else self.beta",
        "exponent = self.beta if cost <= self.target else self.alpha",
        "tests/test_objectives.py::test_the_reward_of_mnasnet",
    ),
    Mutant(
        "A broken constraint costs nothing.",
        "objectives.py",
        "- self.penalty * violation,",
        "- 0 * violation,",
        "tests/test_objectives.py::test_a_constraint_is_a_relative_violation_and_costs_a_penalty",
    ),
    Mutant(
        "Shared weights are trained on valid.",
        _SHARED,
        "enumerate(self.task.batches(self.task.train, size, order, drop_last=True)",
        "enumerate(self.task.batches(self.task.valid, size, order, drop_last=True)",
        "tests/evaluators/test_shared_weights.py::test_train_alone_is_trained_on_and_valid_alone_scores",
    ),
    Mutant(
        "Paths that are not drawn decay and move with the momentum.",
        _SHARED,
        "self.optimizer.zero_grad(set_to_none=True)",
        "self.optimizer.zero_grad(set_to_none=False)",
        "tests/evaluators/test_shared_weights.py::test_a_path_that_is_no_longer_drawn_stays_as_it_is",
    ),
    Mutant(
        "Paths are drawn uniformly, whatever the controller has learned.",
        _SHARED,
        "return strategy.draw(self.rng)",
        "return self.space.sample(self.rng)",
        "tests/evaluators/test_shared_weights.py::test_each_batch_draws_one_path_from_the_strategy",
    ),
    Mutant(
        "Fair paths draw each option independently: uniform paths.",
        "evaluators/fair_paths.py",
        "return self.left[row].pop()",
        "return int(self.rng.integers(self.counts[row]))",
        "tests/evaluators/test_fair_paths.py::test_after_each_batch_every_option_was_trained_equally_often",
    ),
]
