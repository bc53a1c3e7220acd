from core import GenerationConfig


class TaskConfig(GenerationConfig):
    pass
