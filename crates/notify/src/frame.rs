//! What a mail looks like, in MJML, which becomes tables that every mail program shows.

/// The frame of a mail. Names in it are filled in when it is HTML already, each escaped for where it stands.
pub(crate) fn frame(has_button: bool, mjml: Option<&str>) -> String {
    if let Some(mjml) = mjml {
        return mjml.to_owned();
    }
    let button = if has_button {
        r##"<mj-button href="{{ button.url }}" background-color="#1f4fd8" color="#ffffff" border-radius="6px" align="left">{{ button.label }}</mj-button>"##
    } else {
        ""
    };
    format!(
        r##"<mjml>
  <mj-head>
    <mj-attributes>
      <mj-all font-family="Helvetica, Arial, sans-serif" />
      <mj-text font-size="16px" line-height="24px" color="#1d2433" />
    </mj-attributes>
  </mj-head>
  <mj-body background-color="#f4f5f7">
    <mj-section background-color="#ffffff" padding="24px">
      <mj-column>
        <mj-text>{{% for line in lines %}}<p>{{% for part in line|lines %}}{{% if not loop.first %}}<br />{{% endif %}}{{{{ part }}}}{{% endfor %}}</p>{{% endfor %}}</mj-text>
        {button}
      </mj-column>
    </mj-section>
    <mj-section padding="8px 24px">
      <mj-column>
        <mj-text font-size="12px" line-height="18px" color="#667085">{{% if unsubscribe %}}<a href="{{{{ unsubscribe }}}}">{{{{ unsubscribe_label }}}}</a>{{% endif %}}</mj-text>
      </mj-column>
    </mj-section>
  </mj-body>
</mjml>"##
    )
}
