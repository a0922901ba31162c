"""Models as web pages that classify sounds in the browser, without a server."""
