"""The wire of our own: OpenAI's and Gemini's formats over aiohttp, without a vendor's library."""
