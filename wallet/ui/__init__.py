"""The resident's wallet as a web app on their own machine: pages over the same errands as the command line.

    the door        app  session  prefs  unlock  begin  passkey_door  lan  pwa  door_problems  sorry
    home            start  start_view  notices  settings  backup  lost
    giving          scan  receive  cards  request  result, with what they show and the words of it
    looking back    agreements  stop  activities  rights  fresh  evidence, on one `book` (`shelf` keeps it)

A page module holds one Flask blueprint with thin views. What is shown are values, made by rules (see `setup.cfg`)
that neither fetch nor keep anything; what waits for the log or an agency is a job of its own (`jobs`, `work`).
"""
