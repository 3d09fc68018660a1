"""As an agent does it: calls a tool of an MCP server by the protocol's own client."""
import asyncio
import sys

from mcp import ClientSession
from mcp.client.streamable_http import streamablehttp_client

url, tool, token = sys.argv[1:]


async def main():
    headers = {"Authorization": f"Bearer {token}"}
    async with streamablehttp_client(url, headers=headers) as (read, write, _):
        async with ClientSession(read, write) as session:
            await session.initialize()
            print((await session.call_tool(tool, {"x": 21})).content[0].text)


asyncio.run(main())
