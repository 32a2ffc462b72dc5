"""Rendering: what fits stays whole, what does not is cut as the template says, and how much is recorded."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm4mat_bench import get_task
from llm4mat_bench.errors import DataError
from llm4mat_bench.prompting.messages import Message
from llm4mat_bench.prompting.render import Renderer, cut_to
from llm4mat_bench.prompting.shots import Example
from llm4mat_bench.prompting.templates import Template, load_template
from llm4mat_bench.prompting.tokens import TokenizerCounter, WordCounter

TASK = get_task("mp/band_gap")
QUESTION = Example("q", " ".join(f"q{n}" for n in range(100)), None)
SHOTS = [Example(f"s{k}", " ".join(f"s{k}w{n}" for n in range(20 * (k + 1))), k / 2) for k in range(5)]


def with_truncation(name: str = "json", **changes: object) -> Template:
    template = load_template(name)
    return template.model_copy(update={"truncation": template.truncation.model_copy(update=changes)})


def test_without_a_limit_nothing_is_cut() -> None:
    prompt = Renderer(load_template("json"), TASK, "description").render(QUESTION, SHOTS)
    assert [message.role for message in prompt.messages] == ["system", *["user", "assistant"] * 5, "user"]
    assert prompt.shot_ids == ("s0", "s1", "s2", "s3", "s4")
    assert prompt.cut == (0, 0, 0)
    assert prompt.tokens is None
    assert prompt.messages[2].content == '{"band_gap": 0}'
    assert QUESTION.text is not None and prompt.messages[-1].content.endswith(QUESTION.text)


def test_the_target_of_the_question_is_never_shown() -> None:
    prompt = Renderer(load_template("json"), TASK, "composition").render(Example("q", "NaCl", 8.97531))
    assert "8.97" not in str(prompt.messages)


def test_whole_shots_are_dropped_from_the_end_first() -> None:
    counter = WordCounter()
    template = load_template("json")
    whole = counter.chat(Renderer(template, TASK, "description").render(QUESTION, SHOTS).messages)
    prompt = Renderer(template, TASK, "description", counter=counter, room=whole - 1).render(QUESTION, SHOTS)
    assert prompt.shot_ids == ("s0", "s1", "s2", "s3")
    assert prompt.cut == (0, 0, 1)
    assert prompt.tokens is not None and prompt.tokens < whole
    # the part that questions share is the same
    longer = Renderer(template, TASK, "description").render(QUESTION, SHOTS)
    assert prompt.messages[:-1] == longer.messages[: len(prompt.messages) - 1]


@settings(max_examples=50, deadline=None)
@given(room=st.integers(120, 700), words=st.integers(1, 120), shots=st.integers(0, 5))
def test_the_quick_count_gives_the_same_prompts(room: int, words: int, shots: int) -> None:
    question = Example("q", " ".join(f"q{n}" for n in range(words)), None)
    exact, quick = (
        Renderer(load_template("json"), TASK, "description", counter=WordCounter(), room=room, quick=one)
        for one in (False, True)
    )
    found, other = exact.render(question, SHOTS[:shots]), quick.render(question, SHOTS[:shots])
    assert found == other
    assert found.tokens == WordCounter().chat(found.messages) <= room


def test_the_quick_count_looks_at_what_all_questions_share_once() -> None:
    class Counting(WordCounter):
        chats = 0

        def chat(self, messages: object, /) -> int:
            self.chats += 1
            return super().chat(messages)  # type: ignore[arg-type]

    counter = Counting()
    renderer = Renderer(load_template("json"), TASK, "description", counter=counter, room=10_000, quick=True)
    shots = tuple(SHOTS)
    for number in range(20):
        renderer.render(Example("q", f"a crystal {number}", None), shots)
    assert counter.chats == 1


def test_without_shots_the_text_is_cut_to_what_fits() -> None:
    counter = WordCounter()
    empty = counter.chat(Renderer(load_template("json"), TASK, "description").render(Example("q", "x", None)).messages)
    prompt = Renderer(load_template("json"), TASK, "description", counter=counter, room=empty + 9).render(
        QUESTION, SHOTS
    )
    assert prompt.shot_ids == () and prompt.cut.shots_dropped == 5
    assert prompt.tokens == empty + 9
    assert QUESTION.text is not None
    assert prompt.messages[-1].content.endswith(" ".join(QUESTION.text.split()[:10]))
    assert prompt.cut.question_characters == len(QUESTION.text) - len(" ".join(QUESTION.text.split()[:10]))


def test_cut_texts_keeps_all_shots() -> None:
    counter = WordCounter()
    template = with_truncation(too_long="cut_texts")
    prompt = Renderer(template, TASK, "description", counter=counter, room=300).render(QUESTION, SHOTS)
    assert prompt.shot_ids == ("s0", "s1", "s2", "s3", "s4")
    assert prompt.tokens is not None and 290 < prompt.tokens <= 300
    assert SHOTS[0].text is not None and SHOTS[0].text in prompt.messages[1].content  # short ones stay whole
    assert prompt.cut.shot_characters > 0 and prompt.cut.question_characters > 0


def test_published_limits() -> None:
    template = load_template("published_limits")
    alone = Renderer(template, TASK, "description").render(QUESTION)
    assert alone.messages[-1].content.split()[-1] == "q49"
    few = Renderer(template, TASK, "description").render(QUESTION, SHOTS)
    assert few.messages[-1].content.split()[-1] == "q9"
    assert few.messages[1].content.split()[-1] == "s0w9"
    formula = Renderer(template, TASK, "composition").render(QUESTION, SHOTS)
    assert formula.cut == (0, 0, 0)


def test_the_line_of_pymatgen_goes_from_cifs() -> None:
    prompt = Renderer(load_template("json"), TASK, "cif").render(
        Example("q", "# generated using pymatgen\ndata_X", None)
    )
    assert prompt.messages[-1].content == "CIF:\ndata_X"


def test_what_cannot_be_asked() -> None:
    with pytest.raises(DataError, match="q has no cif"):
        Renderer(load_template("json"), TASK, "cif").render(Example("q", None, 1.0))
    with pytest.raises(DataError, match="does not fit into 5 tokens"):
        Renderer(load_template("json"), TASK, "cif", counter=WordCounter(), room=5).render(QUESTION)
    with pytest.raises(DataError, match="needs the model's tokenizer"):
        Renderer(with_truncation(question=5), TASK, "cif")
    with pytest.raises(DataError, match="shot s has no target"):
        Renderer(load_template("json"), TASK, "cif").render(QUESTION, [Example("s", "x", None)])


def test_the_hash_is_of_the_messages() -> None:
    renderer = Renderer(load_template("json"), TASK, "composition")
    one, same = renderer.render(Example("a", "NaCl", 1.0)), renderer.render(Example("b", "NaCl", 2.0))
    assert one.sha256 == same.sha256
    assert renderer.render(Example("a", "KCl", 1.0)).sha256 != one.sha256


@given(text=st.text(alphabet="ab \n\t", max_size=80), limit=st.integers(0, 12))
@settings(deadline=None)
def test_cut_text_is_the_longest_beginning_that_fits(text: str, limit: int) -> None:
    count = WordCounter().text
    found = cut_to(text, limit, count)
    assert text.startswith(found)
    assert count(found) == min(limit, count(text)) or not text.strip()


class Tokenizer:
    """A tokenizer of characters, whose chat template writes a token before each turn, as transformers 5 answers."""

    def encode(self, text: str, *, add_special_tokens: bool) -> list[int]:
        assert not add_special_tokens
        return [ord(char) for char in text]

    def apply_chat_template(
        self, messages: list[dict[str, str]], *, tokenize: bool, add_generation_prompt: bool
    ) -> dict[str, list[int]]:
        assert tokenize and add_generation_prompt
        return {"input_ids": [0] * (1 + sum(1 + len(message["content"]) for message in messages))}


def test_tokens_are_counted_as_the_model_counts() -> None:
    counter = TokenizerCounter(Tokenizer())
    messages = [Message(role="system", content="abc"), Message(role="user", content="de")]
    assert counter.text("four") == 4
    assert counter.chat(messages) == 8
    prompt = Renderer(load_template("json"), TASK, "composition", counter=counter, room=600).render(
        Example("q", "NaCl " * 200, None)
    )
    assert prompt.tokens is not None
    assert 595 <= prompt.tokens <= 600
    assert prompt.tokens == counter.chat(prompt.messages)


def test_a_real_tokenizer_writes_one_beginning_of_text() -> None:
    transformers = pytest.importorskip("transformers")
    tokenizers = pytest.importorskip("tokenizers")
    words = {word: number for number, word in enumerate(["<s>", "[unk]", "[INST]", "[/INST]", "NaCl", "CIF", ":"])}
    model = tokenizers.Tokenizer(tokenizers.models.WordLevel(words, unk_token="[unk]"))
    model.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    model.post_processor = tokenizers.processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=model, bos_token="<s>", unk_token="[unk]")
    tokenizer.chat_template = (
        "{{ bos_token }} {% for message in messages %}[INST] {{ message['content'] }} [/INST] {% endfor %}"
    )
    counter = TokenizerCounter(tokenizer)
    messages = [Message(role="user", content="NaCl NaCl NaCl")]
    assert counter.text("NaCl NaCl") == 2
    assert counter.chat(messages) == 1 + 1 + 3 + 1


def test_what_is_the_same_for_many_questions_is_written_once_and_rightly() -> None:
    """The messages before the question are kept; other shots, or a list that has changed, are written anew."""
    for template in ("json", "words"):
        renderer = Renderer(load_template(template), TASK, "composition")
        one, two = Example("a", "NaCl", 5.0), Example("b", "GaAs", 1.4)
        shots = [one]
        rendered = [renderer.render(Example("q", "Si", None), shots)]
        shots[0] = two
        for of_all in (shots, (one,), (one,), (one, two), ()):
            rendered.append(renderer.render(Example("q", "Si", None), of_all))
        fresh = [
            Renderer(load_template(template), TASK, "composition").render(Example("q", "Si", None), of_all)
            for of_all in ([one], [two], [one], [one], [one, two], [])
        ]
        assert rendered == fresh
