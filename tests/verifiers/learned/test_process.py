"""Process models: a score at every mark that the format wrote, and nowhere else.

The checkpoints themselves can't be had here: their architectures with random weights stand in, and
the expected scores come from a plain forward pass over rows written out by hand.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from referee.verifiers import Completion, Item, Problem, ProcessModel, Reason
from referee.verifiers.learned.formats import FORMATS, QWEN_SYSTEM
from referee.verifiers.learned.loading import load
from referee.verifiers.scoring.asking import evaluate

PROBLEM = Problem(prompt="2+2*3?")
TEXT = "2*3=6\n2+6=8"
TEXTS = [TEXT, "2*3=5", "", "a\nb\nc\nd", "2*3=6\n2+6=9 " + "x" * 40]
ITEMS = [Item(Completion(text=t), Problem(prompt=p)) for p in ("2+2*3?" * 20, "b") for t in TEXTS]


def plain(folder, cls, ids):
    import transformers

    model = getattr(transformers, cls).from_pretrained(folder).eval()
    with torch.inference_mode():
        return model(input_ids=torch.tensor([ids]))


def tokens_of(folder):
    return load(folder, "encoder").tokenizer


def test_token_classification_reads_each_steps_newline(models):
    folder = models("LlamaForTokenClassification", labels=2)
    tok = tokens_of(folder)
    ids = tok("2+2*3?" + TEXT + "\n")["input_ids"]
    out = plain(folder, "LlamaForTokenClassification", ids).logits[0].softmax(-1)[:, 1]
    newlines = [t for t, i in enumerate(ids) if i == tok.convert_tokens_to_ids("\n")]
    verdict = ProcessModel(model=folder)(TEXT, PROBLEM)
    assert verdict.detail["steps"] == pytest.approx([float(out[t]) for t in newlines], abs=1e-6)
    assert verdict.score == pytest.approx(min(verdict.detail["steps"]))
    assert verdict.detail["spans"] == [[0, 5], [6, 11]]


def test_math_shepherd_reads_plus_against_minus_at_its_tag(models):
    folder = models("LlamaForCausalLM")
    tok = tokens_of(folder)
    ids = tok("2+2*3? 2*3=6 ки\n2+6=8 ки")["input_ids"]
    logits = plain(folder, "LlamaForCausalLM", ids).logits[0]
    signs = [tok.convert_tokens_to_ids(s) for s in "+-"]
    tags = [t for t, i in enumerate(ids) if i == tok.convert_tokens_to_ids("и")]
    expected = [float(logits[t, signs].softmax(-1)[0]) for t in tags]
    verdict = ProcessModel(model=folder, format="math_shepherd")(TEXT, PROBLEM)
    assert verdict.detail["steps"] == pytest.approx(expected, abs=1e-6)


@pytest.fixture(scope="session")
def skywork(models, tmp_path_factory):
    """A causal model's folder with a value head beside its weights."""
    from safetensors.torch import load_file, save_file

    folder, source = tmp_path_factory.mktemp("skywork"), Path(models("LlamaForCausalLM"))
    weights = load_file(source / "model.safetensors")
    head = torch.randn(1, 32, generator=torch.Generator().manual_seed(1))
    save_file({**weights, "v_head.summary.weight": head, "v_head.summary.bias": torch.ones(1)},
              folder / "model.safetensors", metadata={"format": "pt"})  # fmt: skip
    for file in source.glob("*.json"):
        (folder / file.name).write_bytes(file.read_bytes())
    return str(folder), head


def test_skywork_reads_a_value_head_at_each_steps_newline(skywork):
    folder, head = skywork
    tok = tokens_of(folder)
    ids = tok("2+2*3?\n2*3=6\n2+6=8\n")["input_ids"]
    hidden = plain(folder, "LlamaModel", ids).last_hidden_state[0]
    newlines = [t for t, i in enumerate(ids) if i == tok.convert_tokens_to_ids("\n")][1:]
    expected = [float((hidden[t] @ head[0] + 1).sigmoid()) for t in newlines]
    verdict = ProcessModel(model=folder, format="skywork_o1")(TEXT, PROBLEM)
    assert verdict.detail["steps"] == pytest.approx(expected, abs=1e-6)


QWEN_CODE = """
import torch
from transformers import LlamaConfig, LlamaModel, LlamaPreTrainedModel
from transformers.modeling_outputs import TokenClassifierOutput

class StepModel(LlamaPreTrainedModel):
    config_class = LlamaConfig
    def __init__(self, config):
        super().__init__(config)
        self.model = LlamaModel(config)
        self.score = torch.nn.Linear(config.hidden_size, 2)
        self.post_init()
    def forward(self, input_ids, attention_mask=None, past_key_values=None, use_cache=None):
        hidden = self.model(input_ids=input_ids, attention_mask=attention_mask,
                            past_key_values=past_key_values, use_cache=use_cache).last_hidden_state
        return TokenClassifierOutput(logits=self.score(hidden))
"""


@pytest.fixture(scope="session")
def qwen(models, tmp_path_factory):
    """A folder whose own code returns two classes for each token, as Qwen2.5-Math-PRM's does."""
    folder = tmp_path_factory.mktemp("qwen")
    source = Path(models("LlamaForTokenClassification", labels=2, chat=True, marks=("<extra_0>",)))
    for file in source.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    (folder / "step_model.py").write_text(QWEN_CODE)
    config = json.loads((folder / "config.json").read_text())
    config["auto_map"] = {"AutoModel": "step_model.StepModel"}
    (folder / "config.json").write_text(json.dumps(config))
    return str(folder)


def test_qwen_reads_its_mark_by_place(qwen):
    loaded = load(qwen, "encoder", trust_remote_code=True)
    tok = loaded.tokenizer
    row = f"<bos><|system|>{QWEN_SYSTEM}<|end|><|user|>2+2*3?<|end|><|assistant|>2*3=6<extra_0>2+6=8<extra_0><|end|>"
    ids = tok(row, add_special_tokens=False)["input_ids"]
    made, places = FORMATS["qwen2.5_math"].tokens(tok, PROBLEM, ["2*3=6", "2+6=8"])
    assert made == ids
    assert places == [t for t, i in enumerate(ids) if i == tok.convert_tokens_to_ids("<extra_0>")]
    with torch.inference_mode():
        out = loaded.model(torch.tensor([ids])).logits[0].softmax(-1)[:, 1]
    verdict = ProcessModel(model=qwen, format="qwen2.5_math", trust_remote_code=True)(TEXT, PROBLEM)
    assert verdict.detail["steps"] == pytest.approx([float(out[p]) for p in places], abs=1e-6)


@pytest.mark.parametrize("form", list(FORMATS))
@pytest.mark.parametrize("share_prefix", [False, True])
def test_step_scores_do_not_depend_on_what_is_scored_beside(models, qwen, skywork, form, share_prefix):
    folder = {
        "skywork_o1": lambda: skywork[0],
        "qwen2.5_math": lambda: qwen,
        "math_shepherd": lambda: models("LlamaForCausalLM"),
        "token_classification": lambda: models("LlamaForTokenClassification", labels=2),
    }[form]()
    options = {"model": folder, "format": form, "trust_remote_code": form == "qwen2.5_math"}
    together = evaluate(ProcessModel(**options, share_prefix=share_prefix), ITEMS)
    for item, verdict in zip(ITEMS, together, strict=True):
        alone = evaluate(ProcessModel(**options, share_prefix=False, batch_tokens=1), [item])[0]
        assert verdict.detail.get("steps", []) == pytest.approx(alone.detail.get("steps", []), abs=2e-6)


@pytest.mark.parametrize("form", ["math_shepherd", "qwen2.5_math", "token_classification"])
def test_a_mark_that_the_completion_wrote_is_no_step(models, qwen, form):
    folder = {"qwen2.5_math": qwen}.get(form) or models("LlamaForTokenClassification", labels=2)
    tok = load(folder, "encoder", trust_remote_code=True).tokenizer
    ids, places = FORMATS[form].tokens(tok, PROBLEM, ["2*3=7 ки<extra_0> + ки", "8"])
    assert len(places) == 2
    marks = [tok.convert_tokens_to_ids(m) for m in ("<extra_0>",) if m in tok.get_vocab()]
    assert sum(i in marks for i in ids) in (0, 2)
    assert sorted(places) == places
    assert places[-1] >= len(ids) - 2


def test_a_step_that_scores_zero_counts(models, tmp_path):
    from transformers import AutoTokenizer, LlamaForTokenClassification

    source = models("LlamaForTokenClassification", labels=2)
    model = LlamaForTokenClassification.from_pretrained(source)
    hidden = plain(source, "LlamaModel", tokens_of(source)("2+2*3?a\n")["input_ids"]).last_hidden_state[0, -1]
    with torch.no_grad():  # surely wrong at the first step: softmax gives exactly 0 there
        model.score.weight[0], model.score.weight[1] = 100 * hidden, -100 * hidden
    model.save_pretrained(tmp_path)
    AutoTokenizer.from_pretrained(source).save_pretrained(tmp_path)
    verdict = ProcessModel(model=str(tmp_path), aggregation="mean")("a\nb\nc", PROBLEM)
    assert len(verdict.detail["steps"]) == 3
    assert verdict.detail["steps"][0] == 0.0
    assert verdict.detail["first_wrong"] == 0
    assert verdict.score == pytest.approx(sum(verdict.detail["steps"]) / 3)


def test_nothing_written_and_too_much_written_score_zero(models):
    model = ProcessModel(model=models("LlamaForTokenClassification", labels=2))
    assert model(" \n", PROBLEM).reason is Reason.NO_ANSWER
    assert model("a\n" * 1000, PROBLEM).reason is Reason.RESOURCE_LIMIT
    assert model("a\n" * 1000, PROBLEM).score == 0.0


def test_options_are_checked():
    for name, value in (("format", "x"), ("split", "x"), ("aggregation", "x"), ("threshold", 2.0)):
        with pytest.raises(ValueError, match=name):
            ProcessModel(model="m", **{name: value})
    assert ProcessModel(model="m", aggregation="sum").range == (0.0, float("inf"))
