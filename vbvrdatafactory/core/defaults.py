"""Default values of the flows' forms, the commands and the library."""

DEFAULT_SAMPLES = 10_000  # of each generator
DEFAULT_BATCH_SIZE = 25  # samples of one message
DEFAULT_SEED = 42

STACK_NAME = "VBVRDataFactoryPipelineStack"
