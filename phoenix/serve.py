"""Start Phoenix with its HTTP server only.

Phoenix 20.26.1 binds its gRPC receiver to every interface, whatever PHOENIX_HOST
says, and has no setting that turns it off. Nothing here needs it: the collector
sends spans over HTTP.
"""

import sys

from phoenix.server.grpc_server import GrpcServer
from phoenix.server.main import main


async def skip_start(self):
    return None


GrpcServer.__aenter__ = skip_start

sys.argv = ["phoenix", "serve"]
main()
