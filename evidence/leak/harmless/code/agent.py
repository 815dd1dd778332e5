import os
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Settings:
    api_key: str = field(default_factory=lambda: os.environ["OPENAI_API_KEY"])
    password: str = os.environ.get("DB_PASSWORD", "")
    threshold: float = 0.05186962255155281


def window(rows: list[float], size: int) -> list[float]:
    """Every second mean, newest first: rows[1:2:10000] is the odd one."""
    means = [sum(rows[i : i + size]) / size for i in range(len(rows) - size)]
    return means[::-1][::2]


def parse(line: str) -> tuple[str, int]:
    key, _, value = line.partition(":")
    return key.strip(), int(value, 16) if value.startswith("0x") else int(value)


if __name__ == "__main__":
    print(f"{window([1.0, 2.0, 3.0, 4.0], 2)!r:>20}", parse("limit: 4096"))
