"""A LangGraph agent with a tool, seen through OpenInference. It needs the packages of requirements.txt."""
import os

from langchain.agents import create_agent
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from openinference.instrumentation.langchain import LangChainInstrumentor
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

# The name that boards and Tempo show, and the project in Phoenix. OTLP goes to OTEL_EXPORTER_OTLP_ENDPOINT, or else to port 4318.
NAME = "example-langgraph"
provider = TracerProvider(resource=Resource.create({"service.name": NAME, "openinference.project.name": NAME}))
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
LangChainInstrumentor().instrument(tracer_provider=provider)

MODEL = os.getenv("VLLM_MODEL", "Qwen/Qwen2.5-3B-Instruct")


def model(name: str) -> ChatOpenAI:
    url = os.getenv("VLLM_BASE_URL", "http://127.0.0.1:8000/v1")
    return ChatOpenAI(model=name, base_url=url, api_key=os.getenv("VLLM_API_KEY", "none"))


@tool
def forecast(place: str) -> str:
    """The weather of tomorrow at a place in the wood."""
    return f"{place}: dry in the morning, rain from noon"


def owl(model_name: str):
    # The name of the agent: without it the boards show the name of the service.
    return create_agent(model(model_name), [forecast], system_prompt="You advise travellers.", name="owl")


# No server has the last model: this run fails, and the shipped policies keep each failed run.
for question, model_name in [
    ("Can I dry acorns in the clearing tomorrow?", MODEL),
    ("Is the path along the brook passable?", MODEL),
    ("Will it snow on the hill?", "a-model-that-nobody-has"),
]:
    try:
        answer = owl(model_name).invoke({"messages": [("user", question)]})
        print(f"{question} {answer['messages'][-1].content}")
    except Exception as error:
        print(f"{question} {type(error).__name__}: {error}")

provider.shutdown()  # sends what is still in the batch
