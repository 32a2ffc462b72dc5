"""The parser of answers under its public name; it lives where trainers can reach it too."""

from ..answers.parser import PARSER_VERSION, Answer, Status, parse_answer, thinking_of

__all__ = ["PARSER_VERSION", "Answer", "Status", "parse_answer", "thinking_of"]
