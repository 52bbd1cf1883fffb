"""The resident's wallet as a web app on their own machine: pages over the same errands as the command line.

    the door     app  session  prefs  unlock  begin  passkeys  lan  pwa  cli_serve
    pages        start  notices  settings  backup  lost

A page module holds one Flask blueprint with thin views; `*_view` modules beside it say what is shown, as values.
"""
