"""What the faces share: a Flask app for pages, templates, words, pictures, settings of the view, and doors.

A face (`wallet/ui`, `verifier/ui`, `auditor/ui`, `issuer/ui`) makes its app with `app.make_ui`. `words` speaks
Dutch and English, `format` writes dates, `problems` says what an error means and `errors` shows it; `headers` and
`guard` keep other sites out, `hosts` other names, `door` and `staff` say who may come in; `icons`, `qr` and
`charts` draw; `view` holds language, text size and theme; `assets` serves styles, font and scripts; `front` puts a
face beside an API. See docs/faces.md.
"""
