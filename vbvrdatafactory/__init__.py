"""Say which video-reasoning dataset you want; the bucket is made to hold exactly that.

The library knows nothing of Prefect or CDK: it is what the Lambda image installs.

Public names::

    from vbvrdatafactory.core.config import config
    from vbvrdatafactory.core.models import TaskMessage
    from vbvrdatafactory.sqs.submitter import TaskSubmitter
"""
