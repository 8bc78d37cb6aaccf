"""Settings, read from `FORMFACT_…` variables when the program starts; nothing reads the environment later."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from ingest.limits import Limits
from service.monitoring.outcome import KINDS, Kind


class Settings(BaseSettings):
    """All settings with their defaults: a laptop, no key, no network."""

    model_config = SettingsConfigDict(env_prefix="FORMFACT_", env_file=None, frozen=True)

    home: Path = Field(Path("var"), description="folder of all state")
    domain: str = Field("support", description="a folder of domains/, or a path")
    encoder: str = Field("", description="hub id or path of the encoder; empty: the domain's own")
    adapter: Path | None = Field(
        None, description="folder of an adapter that is always used; empty: the one that is live"
    )
    reader: str = Field(
        "",
        description="what judges evidence: folder of a trained reader, hub id or path of a cross-encoder, or none; "
        "empty: the domain's own reader, else the shipped one, else (under another encoder) none",
    )
    host: str = Field("127.0.0.1", description="address to serve on")
    port: int = Field(8000, ge=0, le=65535)
    database_url: str = Field("", description="SQLAlchemy URL; empty: SQLite in the home")
    chroma_url: str = Field("", description="host:port of a Chroma server; empty: embedded in the home")
    llm: str = Field("", description="chat model that composes: openai:MODEL or local:smollm2; empty: none")
    llm_url: str = Field("", description="of an OpenAI-compatible endpoint, as http://127.0.0.1:8001/v1")
    llm_key: SecretStr = Field(SecretStr(""), description="of the endpoint")
    llm_timeout_seconds: float = Field(20.0, gt=0, description="of one call to the endpoint")
    llm_max_tokens: int = Field(160, ge=16, description="of one answer")
    models: Path | None = Field(None, description="folder of pulled chat models; empty: models/ of the home")
    max_body_bytes: int = Field(1_000_000, ge=1000)
    max_batch_bytes: int = Field(20_000_000, ge=1000)
    max_batch_lines: int = Field(1000, ge=1, description="of one batch; each counts as a request of its key")
    max_upload_bytes: int = Field(20_000_000, ge=1000, description="of one document")
    max_unpacked_bytes: int = Field(100_000_000, ge=1000, description="of an office file")
    max_pdf_pages: int = Field(400, ge=1)
    max_text_characters: int = Field(4_000_000, ge=1000, description="of one document")
    max_read_seconds: float = Field(60.0, gt=0, description="for reading one PDF or office file")
    max_read_bytes: int = Field(2_000_000_000, ge=200_000_000, description="memory for reading one")
    requests_per_minute: int = Field(600, ge=1, description="of one key, unless the key says otherwise")
    requests_at_once: int = Field(32, ge=1, description="of one key, likewise")
    wrong_keys_per_minute: int = Field(30, ge=1, description="from one address, before it is refused")
    limits_url: str = Field("memory://", description="where rates are counted; redis://… lets replicas share them")
    work_at_once: int = Field(4, ge=1, description="requests that compute; others wait")
    work_waiting: int = Field(32, ge=0, description="requests that wait; more are refused with 503")
    request_seconds: float = Field(30.0, gt=0, description="that a request may take, waiting included")
    retry_after: float = Field(2.0, ge=1, description="seconds that a refused caller is told to wait")
    cors_origins: tuple[str, ...] = Field((), description="origins of pages that may call the API; empty: none")
    shadow_share: float = Field(1.0, ge=0, le=1, description="of the tickets that a shadow sees")
    shadow_seconds: float = Field(20.0, gt=0, description="that a shadow may compute in a minute")
    promote_after: int = Field(0, ge=0, description="tickets that a shadow must have seen before it may be promoted")
    review_sample: float = Field(0.02, ge=0, le=1, description="of the requests, drawn for the review queue")
    review_unsure: float = Field(0.5, ge=0, le=1, description="confidence under which a label asks for a review")
    review_twice: float = Field(0.1, ge=0, le=1, description="of the reviews, to be judged by two people")
    journal_days: int = Field(90, ge=1, description="that requests and replies are kept")
    otlp_url: str = Field("", description="where traces are sent (OTLP), as http://127.0.0.1:4318; empty: nowhere")
    chroma_sync_threshold: int = Field(1000, ge=3, description="records after which Chroma writes its graph to disk")
    zendesk_url: str = Field("", description="as https://example.zendesk.com; empty: no Zendesk")
    zendesk_email: str = Field("", description="of the agent whose API token is used")
    zendesk_token: SecretStr = Field(SecretStr(""), description="API token")
    zendesk_secret: SecretStr = Field(SecretStr(""), description="signing secret of the webhook")
    chatwoot_url: str = Field("", description="as https://app.chatwoot.com; empty: no Chatwoot")
    chatwoot_token: SecretStr = Field(SecretStr(""), description="access token of an agent")
    chatwoot_secret: SecretStr = Field(SecretStr(""), description="secret of the webhook or agent bot")
    chatwoot_public: bool = Field(False, description="send answers to the customer; else every reply is a private note")
    report: Path = Field(Path("comparison/report.html"), description="comparison that the console shows")
    tools_key: str = Field("", description="id of the API key as which tickets from support tools are answered")
    drift_window: int = Field(200, ge=50, le=1000, description="requests that a look at drift compares")
    drift_alpha: float = Field(0.001, gt=0, lt=1, description="chance of any false alarm in one look")
    retrain_on: str = Field(
        "labels,confidence,abstention", description="kinds of drift checks whose alarm asks for training, with commas"
    )
    retrain_after_corrections: int = Field(200, ge=1, description="by reviewers, since the live adapter went live")
    log_level: str = "INFO"

    @field_validator("retrain_on")
    @classmethod
    def _known_kinds(cls, value: str) -> str:
        if unknown := {kind.strip() for kind in value.split(",") if kind.strip()} - set(KINDS):
            raise ValueError(f"there is no check {', '.join(sorted(unknown))}; there are {', '.join(KINDS)}")
        return value

    @property
    def retrain_kinds(self) -> frozenset[Kind]:
        """Kinds of drift checks whose alarm asks for training."""
        named = {kind.strip() for kind in self.retrain_on.split(",")}
        return frozenset(kind for kind in KINDS if kind in named)

    @property
    def url(self) -> str:
        """Where a browser or a client on this machine reaches the service, also where it listens on every address."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    @property
    def models_folder(self) -> Path:
        """Where pulled chat models lie."""
        return self.models or self.home / "models"

    def elsewhere(self, home: Path) -> Settings:
        """The same models with a state of its own, as evals want it."""
        own = {"home": home, "models": self.models_folder, "database_url": "", "chroma_url": ""}
        return self.model_copy(update=own)

    @property
    def embedded(self) -> bool:
        """Does this process own the state under its home?"""
        return not self.database_url

    @property
    def limits(self) -> Limits:
        """What one document may take."""
        return Limits(
            file_bytes=self.max_upload_bytes,
            unpacked_bytes=self.max_unpacked_bytes,
            pdf_pages=self.max_pdf_pages,
            text_characters=self.max_text_characters,
            read_seconds=self.max_read_seconds,
            read_bytes=self.max_read_bytes,
        )
